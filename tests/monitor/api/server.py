"""The real server on an ephemeral loopback port, in the test's own event loop, with sources that the test controls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from monitor.alerts.journal import Journal
from monitor.alerts.policy.rules import Policy
from monitor.alerts.sinks.registry import NamedSink
from monitor.api.access.claims import ordered
from monitor.api.identities import People
from monitor.api.server import Server, address, listen
from monitor.config import Settings
from monitor.host.components import Components, Tenant
from monitor.host.publication import Answer
from monitor.host.sidecar import Sidecar, assemble
from monitor.host.sources import ConfiguredSource
from monitor.host.step import SessionFactory
from monitor.serve import Surface
from monitor.tap.rtp.sdp import SdpError
from tests.monitor.alerts.build import ready_journal
from tests.monitor.rig import ScriptedSource, factory, scripted

TOKEN = "a-token-for-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
WHIP = "/v1/calls/board/participants/p1/whip"
PATIENCE = 10.0


class ScriptedPeer(ScriptedSource):
    """A source opened by an offer; the offer's text chooses what happens."""

    etag = "ice-1"

    def __init__(self) -> None:
        super().__init__()
        self.fragments: list[str] = []

    async def add_candidates(self, fragment: str) -> None:
        if "restart" in fragment:
            raise SdpError(422, "ICE restart", "restarts are not supported: publish again")
        self.fragments.append(fragment)


@dataclass
class Peers:
    """Answers offers; remembers the peers it made. `gate` holds answers back while it is clear."""

    made: list[ScriptedPeer] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, offer: str) -> tuple[ScriptedPeer, str]:
        self.asked.set()
        await self.gate.wait()
        if "bad" in offer:
            raise SdpError(422, "No audio", "offer one audio track")
        if "crash" in offer:
            raise RuntimeError("the secret is in " + offer)
        self.made.append(ScriptedPeer())
        return self.made[-1], "v=0 answer"


@dataclass
class Site:
    """A running server and what the tests reach inside it."""

    base: str
    operators: str
    components: Components
    surface: Surface
    journal: Journal
    peers: Peers
    server: Server
    serving: asyncio.Task[None]

    def client(self, **options: Any) -> httpx.AsyncClient:
        # Over HTTP: to read the certificates of the system takes 50 ms a client.
        return httpx.AsyncClient(
            **{"base_url": self.base, "timeout": PATIENCE, "headers": BEARER, "verify": False, **options}
        )

    def connect(self, prefix: str = "", **options: Any) -> connect:
        chosen: dict[str, Any] = {"subprotocols": [Subprotocol("sidewitness.alerts.v1")], "proxy": None, **options}
        return connect(self.base.replace("http", "ws") + prefix + "/v1/alerts", **chosen)

    @contextlib.asynccontextmanager
    async def subscribe(
        self, after: int | None = None, states: bool = False, token: str = TOKEN
    ) -> AsyncIterator[ClientConnection]:
        async with self.connect() as socket:
            await socket.send(subscription(after, states, token))
            yield socket

    def token(self, role: str, subject: str | None = None, minutes: int = 60, **seat: str | None) -> str:
        """A signed token, made as an admin makes one; called like its role where no subject is given."""
        text, _ = self.surface.parts.issuer.issue(ordered(subject or role, role, minutes, **seat), "the tests")
        return text

    def bearer(self, role: str, subject: str | None = None, **seat: Any) -> dict[str, str]:
        """The header of such a token."""
        return {"Authorization": f"Bearer {self.token(role, subject, **seat)}"}

    async def stop(self) -> None:
        self.server.should_exit = True
        await asyncio.wait_for(self.serving, PATIENCE)


def subscription(after: int | None = None, states: bool = False, token: str = TOKEN) -> str:
    return json.dumps({"type": "subscribe", "token": token, "after": after, "states": states})


async def receive(socket: ClientConnection) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
        # Where the machine is busy hops come late, and that is told.
        if message["type"] != "unmonitored":
            return message


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    sessions: SessionFactory = factory,
    answer: Answer | None = None,
    people: People | None = None,
    sinks: Sequence[NamedSink] = (),
    policy: Policy | None = None,
    tenants: Sequence[Tenant] = (),
    tenants_people: Mapping[str, People | None] | None = None,
    sources: Sequence[ConfiguredSource] = (),
    **overrides: Any,
) -> AsyncIterator[Site]:
    settings = Settings(state_dir=folder, port=0, **{"hop_seconds": 0.1, "token": SecretStr(TOKEN), **overrides})
    ready_journal(folder, settings.findings_kept).close()
    peers = Peers()
    peers.gate.set()
    vault = people.vault if tenants and people is not None else None
    judging = scripted(sessions, answer or peers.answer)
    components = assemble(settings, judging, vault, sinks, sources, policy, tenants)
    listener: socket.socket = listen("127.0.0.1", 0)
    own = listen("127.0.0.1", 0)
    ready = asyncio.Event()
    async with Sidecar(settings, components) as sidecar:
        surface = Surface(sidecar, settings, TOKEN, people, tenants_people)
        server = surface.server(ready.set)
        async with surface.operators(own):
            task = asyncio.create_task(server.serve([listener]))
            await asyncio.wait_for(ready.wait(), PATIENCE)
            addresses = address(listener), address(own)
            site = Site(*addresses, components, surface, components.journal, peers, server, task)
            try:
                yield site
            finally:
                if not task.done():
                    await site.stop()
                listener.close()
