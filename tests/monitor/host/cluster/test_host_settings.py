"""What a host is told, and what it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.config import Settings
from monitor.host.cluster.host_settings import THREADS, environment, processes_of, settings_of, threads_of, told

SECRETS = {
    "token": "the-token-of-the-server",
    "vault_key": "the-key-of-the-vault",
    "database_url": "postgresql://me:the-password@db/sidewitness",
    "oidc": {"client_secret": "the-secret-of-the-provider"},
    "sinks": [{"kind": "webhook", "secret": "the-secret-of-a-sink"}],
}


def test_a_host_judges_by_the_settings_of_its_gateway_and_has_none_of_its_secrets(tmp_path: Path) -> None:
    server = {"url": "turn:relay.example", "username": "us", "credential": "of-the-relay"}
    settings = Settings.model_validate(
        {
            **SECRETS,
            "state_dir": tmp_path,
            "hop_seconds": 0.7,
            "allowed_networks": ["10.0.0.0/8"],
            "ice_servers": [server],
            "workers": 6,
        }
    )
    words = json.loads(json.dumps(told(settings, 2)))
    for secret in ("the-token", "the-key", "the-password", "the-secret", str(tmp_path)):
        assert secret not in json.dumps(words)
    held = settings_of(words)
    assert (held.hop_seconds, held.workers, held.allowed_networks) == (0.7, 2, settings.allowed_networks)
    credential = held.ice_servers[0].credential
    assert credential is not None
    assert credential.get_secret_value() == "of-the-relay"


def test_the_environment_of_a_host_has_no_settings_and_few_threads() -> None:
    environ = {
        "PATH": "/bin",
        "SIDEWITNESS_TOKEN": "a-token",
        "sidewitness_vault_key": "a-key",
        "SIDEWITNESS_CONFIG": "/etc/sidewitness.yaml",
        "SIDEWITNESS_TRUSTED_PACKS": "/packs",
        "OMP_NUM_THREADS": "64",
    }
    expected = {"PATH": "/bin", "SIDEWITNESS_TRUSTED_PACKS": "/packs", **dict.fromkeys(THREADS, "2")}
    assert environment(environ, 2) == expected


@pytest.mark.parametrize(
    ("wanted", "cores", "count"), [("auto", 4.0, 4), ("auto", 1.5, 1), ("auto", 0.5, 1), (3, 2.0, 3)]
)
def test_there_are_as_many_hosts_as_whole_cores(wanted: int | str, cores: float, count: int) -> None:
    assert processes_of(wanted, cores) == count


@pytest.mark.parametrize(("hosts", "cores", "threads"), [(2, 2.0, 1), (2, 8.0, 4), (4, 2.0, 1)])
def test_the_cores_are_shared(hosts: int, cores: float, threads: int) -> None:
    assert threads_of(hosts, cores) == threads


def test_a_host_loads_no_database() -> None:
    look = "import sys, monitor.host.cluster.host_process, monitor.host.cluster.hosted_judging; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert "monitor.host.host" in loaded
    assert not {"sqlalchemy", "alembic", "psycopg"} & set(loaded)
