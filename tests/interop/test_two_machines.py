"""Two machines behind one router: with real nginx, each call is kept on one of them, by Compose as by the chart."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from monitor.config import load
from tests.interop.installed import needs, program
from tests.interop.proxies import listening
from tests.interop.sidecar import free_port

COMPOSE = Path(__file__).parents[2] / "examples" / "compose"
CALLS = [f"call-{number}" for number in range(40)]
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]+)?\}")


def sidecar_service() -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load((COMPOSE / "two-machines.yaml").read_text())["services"]["sidewitness"]
    return service


def test_each_sidecar_is_given_settings_that_it_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {"ADDRESS": "203.0.113.7", "SIDEWITNESS_TOKEN": "a-token-of-sixteen-and-more"}
    for name, value in sidecar_service()["environment"].items():
        monkeypatch.setenv(name, _VARIABLE.sub(lambda match: given[match[1]], value))
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    settings = load()
    assert (settings.host, settings.processes, settings.max_participants) == ("203.0.113.7", "auto", 4)
    # The router asks the port that is the default.
    assert settings.port == 8480
    assert ":8480;" in (COMPOSE / "two-machines.conf.template").read_text()


def test_every_secret_must_be_given_and_both_profiles_are_named() -> None:
    text = (COMPOSE / "two-machines.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert {name: service["profiles"] for name, service in services.items()} == {
        "router": ["router"],
        "sidewitness": ["sidecar"],
    }
    assert text.count("${") == len(re.findall(r"\$\{\w+:\?[^}]+\}", text))
    template = (COMPOSE / "two-machines.conf.template").read_text()
    # Other names in braces would stay as they are when the image fills variables in.
    assert set(re.findall(r"\$\{(\w+)\}", template)) == set(services["router"]["environment"])
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


class Machine:
    """A machine that says which one it is, and what it was asked."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, Counter[str]()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *headers = head.split("\r\n")
        length = next((int(h.split(":")[1]) for h in headers if h.lower().startswith("content-length")), 0)
        await reader.readexactly(length)
        self.asked[line.rsplit(" ", 1)[0]] += 1
        prefix = next((h.split(":")[1].strip() for h in headers if h.lower().startswith("x-forwarded-prefix")), "")
        body = f"{self.name} {prefix}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def routed(folder: Path, template: str) -> AsyncIterator[tuple[str, list[Machine]]]:
    """Run nginx by a template of which FIRST and SECOND are machines here; gives its address and the machines."""
    machines = [Machine("first"), Machine("second")]
    servers = [await asyncio.start_server(machine.answer, "127.0.0.1", 0) for machine in machines]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    port = free_port()
    config = template.replace("listen 8080", f"listen 127.0.0.1:{port}")
    for name, upstream in zip(("FIRST", "SECOND"), ports, strict=True):
        config = config.replace(name, f"127.0.0.1:{upstream}")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; worker_processes 1; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{config}\n}}\n"
    )
    executable = program("nginx")
    assert executable is not None
    process = await asyncio.create_subprocess_exec(
        executable, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", "user root;"
    )
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}", machines
    finally:
        process.terminate()
        await process.wait()
        for server in servers:
            server.close()


@needs("nginx", "nginx-light")
async def test_a_call_is_kept_on_one_machine(tmp_path: Path) -> None:
    template = (COMPOSE / "two-machines.conf.template").read_text()
    # Ports of this machine stand in for addresses of two.
    template = template.replace("${FIRST_ADDRESS}", "FIRST").replace("${SECOND_ADDRESS}", "SECOND").replace(":8480", "")
    async with routed(tmp_path, template) as (url, _), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        seen: dict[str, set[str]] = {}
        for call in CALLS:
            whip = f"/v1/calls/{call}/participants/p%C3%A4r/whip"
            answers = [
                await client.post(whip, params={"identity": "Ann"}, content=b"v=0"),
                await client.patch(f"{whip}/a-session", content=b"a="),
                await client.delete(f"{whip}/a-session"),
                await client.post(f"/v1/calls/{call}/participants/other/whip", content=b"v=0"),
            ]
            assert {answer.status_code for answer in answers} == {200}
            seen[call] = {answer.text for answer in answers}
        assert all(len(machines) == 1 for machines in seen.values())
        shares = Counter(machine for machines in seen.values() for machine in machines)
        # Forty calls: neither machine has nearly none.
        assert min(shares.values()) >= 8
        assert len(shares) == 2
        own = [await client.get(f"/hosts/{number}/v1/findings?after=3") for number in (0, 1)]
        assert [answer.text for answer in own] == ["first /hosts/0", "second /hosts/1"]
        for path in ("/", "/v1/calls", "/v1/alerts", "/hosts/2/", "/hosts/0"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/healthz")).status_code == 200


@needs("nginx", "nginx-light")
async def test_machines_are_asked_what_the_router_was(tmp_path: Path) -> None:
    template = (COMPOSE / "two-machines.conf.template").read_text()
    template = template.replace("${FIRST_ADDRESS}", "FIRST").replace("${SECOND_ADDRESS}", "SECOND").replace(":8480", "")
    async with (
        routed(tmp_path, template) as (url, machines),
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        await client.post("/v1/calls/a%20b/participants/p%C3%A4r/whip", params={"identity": "Ann B"}, content=b"v=0")
        await client.get("/hosts/1/v1/findings", params={"after": 3})
        asked = machines[0].asked + machines[1].asked
    assert asked == {
        "POST /v1/calls/a%20b/participants/p%C3%A4r/whip?identity=Ann+B": 1,
        "GET /v1/findings?after=3": 1,
    }
