"""The example that starts PostgreSQL and a sidecar: without Docker its parts are held one by one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from monitor.config import Settings, load

FILE = Path(__file__).parents[1] / "examples" / "compose" / "postgres.yaml"
PASSWORD = re.compile(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}")


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    whole = yaml.safe_load(PASSWORD.sub("a-secret", FILE.read_text()))
    assert set(whole) == {"name", "services", "volumes"}
    assert {volume.split(":")[0] for service in whole["services"].values() for volume in service["volumes"]} == set(
        whole["volumes"]
    )
    found: dict[str, Any] = whole["services"]
    return found


def test_the_sidecar_reaches_the_database_that_is_started(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services["sidewitness"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings, database = load(), services["database"]
    url, made = sa.make_url(settings.journal_url), database["environment"]
    assert settings.is_loopback
    assert (url.username, url.password, url.database) == (
        made["POSTGRES_USER"],
        made["POSTGRES_PASSWORD"],
        made["POSTGRES_DB"],
    )
    # On this machine alone, and where the sidecar asks.
    assert database["ports"] == [f"{url.host}:{url.port}:5432"]
    assert services["sidewitness"]["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_it_holds_no_secret_and_names_its_versions(services: dict[str, Any]) -> None:
    text = FILE.read_text()
    assert text.count("${") == len(PASSWORD.findall(text)) == 2
    assert re.fullmatch(r"postgres:\d+", services["database"]["image"])
    build = services["sidewitness"]["build"]
    assert (FILE.parent / build["context"] / "Dockerfile").is_file()
