"""The sidecar as the chart starts it: its variables, its file, its secrets as they are mounted, its probes, its end."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
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


def mounted(folder: Path, case: str = "as it is") -> dict[str, str]:
    """The chart's own variables, with what is mounted below a folder and ports that are free."""
    given = variables(case)
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


async def begun(folder: Path, given: dict[str, str], case: str = "as it is") -> asyncio.subprocess.Process:
    """The program as its container starts it, by these variables."""
    (container,) = one(case, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    config = folder / "sidewitness.yaml"
    config.write_text(one(case, "ConfigMap", "sw")["data"]["sidewitness.yaml"])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor.cli", *container["args"][:-1], str(config)),
        env=clean | given,
        stdout=asyncio.subprocess.PIPE,
    )


async def until_ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(READY_SECONDS):
        while line := (await process.stdout.readline()).decode():
            if "is ready" in line:
                return
    raise AssertionError("it ended before it was ready")


async def ended(process: asyncio.subprocess.Process) -> None:
    """As the kubelet stops it."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def killed(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_it_starts_answers_its_probes_and_ends_in_order(tmp_path: Path) -> None:
    (container,) = one("as it is", "StatefulSet")["spec"]["template"]["spec"]["containers"]
    given = mounted(tmp_path)
    process = await begun(tmp_path, given)
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
        await ended(process)
    finally:
        await killed(process)
    # The volume is its alone, whatever group the volume belongs to.
    assert mode(given["SIDEWITNESS_STATE_DIR"]) == 0o700


KNOWING = "knowing each other, as many as wanted"


async def gateways_beside(client: httpx.AsyncClient, given: dict[str, str]) -> int:
    """How many others a pod knows, by its metrics."""
    found = await client.get(f"http://127.0.0.1:{given['SIDEWITNESS_ADMIN_PORT']}/metrics")
    (number,) = re.findall(r"^sidewitness_gateways (\d+)", found.text, re.MULTILINE)
    return int(number)


async def until_beside(client: httpx.AsyncClient, given: dict[str, str], number: int) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            if await gateways_beside(client, given) == number:
                return
            await asyncio.sleep(0.1)


async def test_two_that_know_each_other_are_found_at_one_port_of_two_addresses(
    tmp_path: Path, postgres_url: str
) -> None:
    """Addresses of the loopback stand in for those of pods, and a list of them for the headless service's name."""
    addresses, port, made = ("127.0.0.1", "127.0.0.2"), free_port(), list[dict[str, str]]()
    for number, address in enumerate(addresses):
        (tmp_path / str(number)).mkdir()
        given = mounted(tmp_path / str(number), KNOWING)
        made.append(
            given
            | {name: made[0][name] for name in ("SIDEWITNESS_VAULT_KEY_FILE",) if made}
            | {
                "SIDEWITNESS_PROCESSES": "1",
                "SIDEWITNESS_DATABASE_URL": postgres_url,
                "SIDEWITNESS_TOKEN_KEY_FILE": str(tmp_path / "tokens.key"),
                "SIDEWITNESS_PEERS": json.dumps([f"{each}:{port}" for each in addresses]),
                "SIDEWITNESS_PEER_HOST": address,
                "SIDEWITNESS_PEER_PORT": str(port),
            }
        )
    pods = [await begun(tmp_path / str(number), given, KNOWING) for number, given in enumerate(made)]
    try:
        await asyncio.gather(*map(until_ready, pods))
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            for given in made:
                await until_beside(client, given, 1)
                # By the one name for both.
                url = f"http://127.0.0.1:{given['SIDEWITNESS_PORT']}/v1/calls"
                named = {"Host": "sw-router.calls.svc", "Authorization": f"Bearer {given['SIDEWITNESS_TOKEN']}"}
                assert (await client.get(url, headers=named)).json()["calls"] == []
            await ended(pods[0])
            await until_beside(client, made[1], 0)
        await ended(pods[1])
    finally:
        for pod in pods:
            await killed(pod)
