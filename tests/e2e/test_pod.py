"""The sidecar as the chart starts it: its variables, its file, its secrets as they are mounted, its probes, its end."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import sys
from pathlib import Path

import httpx
import pytest

pytest.importorskip("helm_python", reason="helm-python-sdk is not installed: make test installs it")
pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed: make test installs it")

from tests.interop.sidecar import free_port
from tests.test_kubernetes import one, variables

READY_SECONDS = 120.0
NAME = "sw-hosts-0.sw-hosts.calls.svc.cluster.local"


def mounted(folder: Path) -> dict[str, str]:
    """The chart's own variables, with what is mounted below a folder and ports that are free."""
    given = variables("as it is")
    key, state = folder / "vault.key", folder / "volume" / "state"
    state.parent.mkdir()
    key.write_bytes(base64.b64encode(secrets.token_bytes(32)) + b"\n")
    # As a secret is mounted: its owner's and the group's to read.
    key.chmod(0o440)
    return given | {
        "SIDEWITNESS_HOST": "127.0.0.1",
        "SIDEWITNESS_PORT": str(free_port()),
        "SIDEWITNESS_ADMIN_PORT": str(free_port()),
        "SIDEWITNESS_STATE_DIR": str(state),
        "SIDEWITNESS_VAULT_KEY_FILE": str(key),
    }


def mode(folder: str) -> int:
    """Who may do what with a folder."""
    return Path(folder).stat().st_mode & 0o777


async def until_ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(READY_SECONDS):
        while line := (await process.stdout.readline()).decode():
            if "is ready" in line:
                return
    raise AssertionError("it ended before it was ready")


async def test_it_starts_answers_its_probes_and_ends_in_order(tmp_path: Path) -> None:
    (container,) = one("as it is", "StatefulSet")["spec"]["template"]["spec"]["containers"]
    config = tmp_path / "sidewitness.yaml"
    config.write_text(one("as it is", "ConfigMap", "sw")["data"]["sidewitness.yaml"])
    given = mounted(tmp_path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor.cli", *container["args"][:-1], str(config)),
        env=clean | given,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await until_ready(process)
        public, admin = (f"http://127.0.0.1:{given[f'SIDEWITNESS_{name}']}" for name in ("PORT", "ADMIN_PORT"))
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            for probe in ("startup", "liveness", "readiness"):
                asked = container[f"{probe}Probe"]["httpGet"]
                answer = await client.get(admin + asked["path"])
                assert answer.status_code == 200, answer.text
            assert answer.json()["hosts"] == {"alive": 2, "of": 2}
            # By the name that the router asks it by, and by no other.
            for host, status in ((NAME, 200), ("elsewhere.example", 421)):
                assert (await client.get(f"{public}/healthz", headers={"Host": host})).status_code == status
            bearer = {"Authorization": f"Bearer {given['SIDEWITNESS_TOKEN']}"}
            assert (await client.get(f"{public}/v1/calls", headers=bearer)).json()["calls"] == []
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # The volume is its alone, whatever group the volume belongs to.
    assert mode(given["SIDEWITNESS_STATE_DIR"]) == 0o700
