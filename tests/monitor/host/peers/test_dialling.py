"""Links to addresses that come and go, and that are no gateway's; real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from monitor.host.cluster.channel import StreamChannel
from monitor.host.cluster.frames import VERSION
from monitor.host.cluster.link import Link
from monitor.host.cluster.liveness import BEAT_SECONDS
from monitor.host.peers import dialling as module
from monitor.host.peers.dialling import Dialling, Peer
from monitor.host.peers.listening import Listening
from monitor.host.peers.tls import contexts
from tests.monitor.host.peers.site import SECRET

PATIENCE = 20.0
LISTENS, CONNECTS = contexts(SECRET)


@dataclass
class Hearer:
    """Who dials, and what it has heard."""

    name: str = "one that dials"
    fails: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    there: dict[str, Peer] = field(default_factory=dict)
    came_often: int = 0

    def came(self, peer: Peer) -> bool:
        self.there[peer.view.id] = peer
        self.came_often += 1
        self.changed.set()
        return True

    def said(self, peer: Peer, op: str, body: Any) -> None:
        """Nothing is said but the greeting."""

    def gone(self, peer: Peer) -> None:
        del self.there[peer.view.id]
        self.changed.set()
        if self.fails:
            raise ValueError("whoever hears it has failed")

    async def until(self, number: int, often: int = 0) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.there) != number or self.came_often < often:
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Other:
    """Another gateway, as far as a link knows; `links` are those that it has now."""

    links: list[Link] = field(default_factory=list)
    dialled: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(StreamChannel(reader, writer), lambda _op, _body: None, _asked)
        self.dialled += 1
        self.changed.set()
        self.links.append(link)
        link.say("hello", {"version": VERSION, "id": "another one", "now": time.monotonic()})
        beating = asyncio.create_task(_beat(link))
        try:
            await link.run()
        finally:
            beating.cancel()
            self.links.remove(link)
            writer.close()


async def _beat(link: Link) -> None:
    while True:
        link.say("beat", {})
        await asyncio.sleep(BEAT_SECONDS)


async def _asked(_op: str, _body: Any) -> Any:
    raise LookupError("nothing is asked here")


def dialling(hearer: Hearer, *addresses: tuple[str, int], context: ssl.SSLContext = CONNECTS) -> Dialling:
    return Dialling(addresses, context, hearer, lambda: 0.0, resolve_seconds=0.05)


@pytest.mark.parametrize("name", ["two..dots", "x" * 64, "nothing.invalid"])
async def test_a_name_that_is_none_parts_nobody_from_the_others(name: str) -> None:
    other, hearer = Other(), Hearer()
    listening = Listening(LISTENS, other.serve)
    port = listening.start("127.0.0.1", 0)
    dials = dialling(hearer, (name, port), ("127.0.0.1", port))
    dials.start()
    try:
        await hearer.until(1)
    finally:
        await dials.close()
        await listening.close()
        await listening.served(PATIENCE)


async def test_an_address_that_a_name_stands_for_no_more_is_dialled_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    found = [address]
    looked = asyncio.Event()

    async def lookup(_name: tuple[str, int]) -> list[tuple[str, int]]:
        looked.set()
        return list(found)

    monkeypatch.setattr(module, "_lookup", lookup)
    dials = dialling(Hearer(), ("gateways", address[1]))
    dials.start()
    try:
        async with asyncio.timeout(PATIENCE):
            await looked.wait()
            await asyncio.sleep(0)
            (task,) = dials._tasks.values()
            found.clear()
            await asyncio.wait([task])
            while dials._tasks:
                looked.clear()
                await looked.wait()
                await asyncio.sleep(0)
    finally:
        await dials.close()


async def test_a_link_is_kept_while_its_name_stands_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    other, hearer = Other(), Hearer()
    listening = Listening(LISTENS, other.serve)
    address = ("127.0.0.1", listening.start("127.0.0.1", 0))
    found, looked = [address], asyncio.Event()

    async def lookup(_name: tuple[str, int]) -> list[tuple[str, int]]:
        looked.set()
        return list(found)

    monkeypatch.setattr(module, "_lookup", lookup)
    dials = dialling(hearer, ("gateways", address[1]))
    dials.start()
    try:
        await hearer.until(1)
        found.clear()
        for _ in range(3):
            looked.clear()
            await looked.wait()
        assert len(hearer.there) == 1
        found.append(address)
        await looked.wait()
        assert hearer.came_often == 1
    finally:
        await dials.close()
        await listening.close()
        await listening.served(PATIENCE)


async def test_it_is_dialled_again_after_whoever_hears_it_has_failed() -> None:
    other, hearer = Other(), Hearer(fails=True)
    listening = Listening(LISTENS, other.serve)
    dials = dialling(hearer, ("127.0.0.1", listening.start("127.0.0.1", 0)))
    dials.start()
    try:
        await hearer.until(1)
        other.links[0].close()
        await hearer.until(1, often=2)
    finally:
        hearer.fails = False
        await dials.close()
        await listening.close()
        await listening.served(PATIENCE)
