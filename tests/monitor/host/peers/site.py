"""Several gateways in processes of their own, on one PostgreSQL, as their clients and subscribers see them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import websockets

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.wire import SUBPROTOCOL
from tests.monitor.host.cluster.site import until

PATIENCE = 40.0
BEARER = "a-token-of-this-test"
SDP = {"Authorization": f"Bearer {BEARER}", "Content-Type": "application/sdp"}
SECRET = "a secret of this test that is long"


@dataclass
class Gateway:
    """One of them, and what its subscriber has read."""

    process: Process
    base: str
    admin: str
    told: list[dict[str, Any]] = field(default_factory=list)

    async def follow(self, changed: asyncio.Event) -> None:
        with contextlib.suppress(OSError, websockets.WebSocketException):
            address = f"ws{self.base.removeprefix('http')}/v1/alerts"
            async with websockets.connect(address, subprotocols=[websockets.Subprotocol(SUBPROTOCOL)]) as socket:
                await socket.send(json.dumps({"type": "subscribe", "token": BEARER, "after": 0, "states": True}))
                async for message in socket:
                    self.told.append(json.loads(message))
                    changed.set()

    def hosts(self) -> set[str]:
        """The processes that judge for it."""
        return {str(child.pid) for child in psutil.Process(self.process.pid).children()}

    def kinds(self, kind: str, participant: str) -> list[dict[str, Any]]:
        return [one for one in self.told if one["type"] == kind and one.get("participant") == participant]


@dataclass
class Site:
    """All of them, those that were killed too."""

    gateways: list[Gateway]
    client: httpx.AsyncClient
    journal: Journal
    peers: list[str]
    again: Callable[[int], Awaitable[Gateway]]
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so that messages say."""
        await until(self.changed, condition, what, PATIENCE)

    async def publish(self, gateway: Gateway, participant: str, call: str = "board") -> httpx.Response:
        address = f"{gateway.base}/v1/calls/{call}/participants/{participant}/whip"
        return await self.client.post(address, headers=SDP, content="offer")

    async def calls(self, gateway: Gateway) -> dict[str, list[dict[str, Any]]]:
        """Whom a gateway shows, by call."""
        found = await self.client.get(f"{gateway.base}/v1/calls", headers={"Authorization": f"Bearer {BEARER}"})
        return {call["call"]: call["participants"] for call in found.raise_for_status().json()["calls"]}

    async def sources(self, gateway: Gateway) -> list[dict[str, Any]]:
        """The ways into calls of a gateway."""
        found = await self.client.get(f"{gateway.base}/v1/sources", headers={"Authorization": f"Bearer {BEARER}"})
        sources: list[dict[str, Any]] = found.raise_for_status().json()["sources"]
        return sources

    async def judged(self) -> list[int]:
        """How many are judged by each gateway's hosts."""
        bearer = {"Authorization": f"Bearer {BEARER}"}
        answers = [await self.client.get(f"{one.base}/v1/hosts", headers=bearer) for one in self.gateways]
        return [sum(host["participants"] for host in answer.json()["hosts"]) for answer in answers]

    async def kill(self, gateway: Gateway) -> None:
        gateway.process.kill()
        await gateway.process.wait()

    async def end(self, gateway: Gateway) -> None:
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.process.wait() == 0

    def follow(self) -> None:
        """Read what the subscribers of all of them are told."""
        self.tasks = [asyncio.create_task(one.follow(self.changed)) for one in self.gateways]

    async def begin_again(self, number: int) -> None:
        """Begin one anew in place of one that is gone."""
        made = self.gateways[number] = await self.again(number)
        self.tasks.append(asyncio.create_task(made.follow(self.changed)))
        await self.linked()

    async def linked(self) -> None:
        """Wait until each of them knows of all others."""
        line = f"sidewitness_gateways {float(len(self.gateways) - 1)}\n"
        async with asyncio.timeout(PATIENCE):
            for one in self.gateways:
                while line not in (await self.client.get(f"{one.admin}/metrics")).text:
                    pass

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        after = 0
        while rows := self.journal.read(after, 1000):
            found += [row.finding for row in rows if isinstance(row, Entry)]
            after = rows[-1].seq
        return found


@asynccontextmanager
async def gateways(
    folder: Path, database: str, number: int, ports: Sequence[int] = (), **settings: Any
) -> AsyncIterator[Site]:
    """So many gateways of one host each, every one of which knows the addresses of all; `ports` are for each other."""
    ports = ports or [free_port() for _ in range(number)]
    shared: dict[str, Any] = {
        "database_url": database,
        "peers": [f"127.0.0.1:{port}" for port in ports],
        "peer_secret": SECRET,
        "token": BEARER,
        "token_key_file": str(folder / "tokens.key"),
        "port": 0,
        "admin_port": 0,
        "hop_seconds": 0.1,
        "log_level": "error",
        "max_participants": 32,
        "max_connecting_per_token": 256,
        **settings,
    }
    journal = Journal(database)
    journal.open()
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        for own in range(number):
            (folder / str(own)).mkdir()

        async def begin(own: int) -> Gateway:
            return await _begin(folder / str(own), {**shared, "peer_port": ports[own]})

        begun = await asyncio.gather(*map(begin, range(number)))
        made = Site(begun, client, journal, shared["peers"], begin)
        try:
            made.follow()
            await made.linked()
            yield made
        finally:
            for one in made.gateways:
                with contextlib.suppress(ProcessLookupError):
                    one.process.kill()
                await one.process.wait()
            for task in made.tasks:
                task.cancel()
            await asyncio.gather(*made.tasks, return_exceptions=True)
            journal.close()


async def _begin(folder: Path, settings: dict[str, Any]) -> Gateway:
    words = json.dumps({**settings, "state_dir": str(folder)})
    module = "tests.monitor.host.peers.gateway_process"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, words, stdout=PIPE, env=environment)
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stdout.readline()).decode()
    assert line, "the gateway has not begun: its log says why"
    base, admin = line.split()
    return Gateway(process, base, admin)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
