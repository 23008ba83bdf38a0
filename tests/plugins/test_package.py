"""The example of a plug-in in a package of its own: pip installs it, its entry point is found, and it is judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Settings, SourceSettings
from monitor.host.sidecar import Sidecar, assemble
from monitor.host.source_check import check
from monitor.host.sources import configured_sources
from tests.monitor.alerts.build import ready_journal
from tests.monitor.rig import quiet_log, scripted

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples/plugin-package"
CARD: dict[str, Any] = {"plugin": "test_card", "call": "demo", "participant": "card"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that pip has installed the example in, on the path."""
    folder = tmp_path_factory.mktemp("package")
    # A copy: building leaves files behind.
    shutil.copytree(PACKAGE, folder / "source")
    quietly = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    install = [sys.executable, "-m", "pip", "install", *quietly, "--target", str(folder / "site")]
    done = subprocess.run([*install, str(folder / "source")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    sys.path.insert(0, str(folder / "site"))
    try:
        yield folder / "site"
    finally:
        sys.path.remove(str(folder / "site"))
        sys.modules.pop("sidewitness_test_card", None)


def test_a_process_of_its_own_finds_and_tries_it(site: Path, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
    paths = {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "SIDEWITNESS_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "monitor.cli", "sources"]
    listed = subprocess.run(
        [*command, "list", "--plugins", "--json"], capture_output=True, text=True, timeout=60, env=clean | paths
    )
    rows = {row["plugin"]: row for row in json.loads(listed.stdout)["plugins"]}
    assert rows["test_card"] == {
        "plugin": "test_card",
        "package": "sidewitness-test-card",
        "options": ["call", "participant", "tone_hz"],
    }
    assert rows["folder"]["package"] == "sidewitness"
    settings = {"SIDEWITNESS_SOURCES": json.dumps([CARD])}
    done = subprocess.run([*command, "check"], capture_output=True, text=True, timeout=60, env=clean | paths | settings)
    assert (done.returncode, done.stdout) == (0, "ok   0 test_card: connected\n")


async def test_its_media_are_judged(site: Path, tmp_path: Path) -> None:
    sources = configured_sources([SourceSettings.model_validate(CARD)])
    assert (await check(sources[0])).is_well
    settings = Settings(state_dir=tmp_path, hop_seconds=0.1)
    ready_journal(tmp_path).close()
    with quiet_log():
        async with Sidecar(settings, assemble(settings, scripted(), sources=sources)) as sidecar:
            async for message in sidecar.alerts(states=True):
                if message["type"] == "state":
                    break
    assert (message["call"], message["participant"]) == ("demo", "card")
