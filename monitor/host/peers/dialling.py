"""The links that a gateway opens to others: each is dialled again for as long as it has an address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from monitor.alerts.retry import retry_delay_seconds
from monitor.host.cluster.channel import StreamChannel
from monitor.host.cluster.frames import VERSION
from monitor.host.cluster.link import Link
from monitor.host.cluster.liveness import BEAT_SECONDS, Liveness
from monitor.host.peers.listening import SHUTDOWN_SECONDS
from monitor.host.peers.peer_view import PeerView

CONNECT_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 1.0
# How soon a name that stands for more gateways than before, or for others, is noticed.
RESOLVE_SECONDS = 5.0
# Of what was sent and not acknowledged, in milliseconds: then the kernel ends the connection.
USER_TIMEOUT_MS = 4000

Address = tuple[str, int]


class Hears(Protocol):
    """Who hears other gateways, on the event loop."""

    @property
    def name(self) -> str:
        """The id of this gateway."""
        ...

    def came(self, peer: Peer) -> bool:
        """Take note that one has said who it is; False where it is linked already."""
        ...

    def said(self, peer: Peer, op: str, body: Any) -> None:
        """Take what it says."""
        ...

    def gone(self, peer: Peer) -> None:
        """Take note that nothing more will come of it."""
        ...


@dataclass(eq=False, slots=True)
class Peer:
    """Another gateway over one link; `view` is what it has told."""

    link: Link
    view: PeerView


@dataclass(slots=True)
class Dialling:
    """Keeps a link to whatever is at these addresses, and none to this gateway itself."""

    addresses: tuple[Address, ...]
    context: ssl.SSLContext = field(repr=False)
    hears: Hears
    jitter: Callable[[], float]
    resolve_seconds: float = RESOLVE_SECONDS
    _found: set[Address] = field(default_factory=set)
    # Those at which this gateway itself was.
    _own: set[Address] = field(default_factory=set)
    _tasks: dict[Address, asyncio.Task[None]] = field(default_factory=dict)
    _resolving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._resolving = asyncio.create_task(self._resolve(), name="peers")

    async def close(self) -> None:
        """End every link."""
        tasks = [*self._tasks.values(), *([self._resolving] if self._resolving is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _resolve(self) -> None:
        while True:
            self._found = {address for name in self.addresses for address in await _lookup(name)}
            self._own &= self._found
            self._tasks = {address: task for address, task in self._tasks.items() if not task.done()}
            for address in self._found - self._own - self._tasks.keys():
                self._tasks[address] = asyncio.create_task(self._keep(address), name="peer")
            await asyncio.sleep(self.resolve_seconds)

    async def _keep(self, address: Address) -> None:
        failures = 0
        # A link that lasts outlives its name: a name server that is away parts nobody.
        while address in self._found:
            began = time.monotonic()
            try:
                is_self = await self._once(address)
            except (OSError, TimeoutError) as error:
                # `ssl.SSLError` is one: another secret, or something else that listens there.
                is_self, why = False, type(error).__name__
                if not failures:
                    _log().warning("another gateway cannot be reached", why=why)
            except Exception:
                # Whatever it is: this gateway must not be without that one for ever.
                is_self = False
                _log().exception("a link to another gateway has failed")
            if is_self:
                self._own.add(address)
                return
            failures = 0 if time.monotonic() - began > CONNECT_SECONDS else failures + 1
            await asyncio.sleep(retry_delay_seconds(failures, self.jitter(), LONGEST_PAUSE_SECONDS))

    async def _once(self, address: Address) -> bool:
        """Connect and listen until that ends; returns whether this gateway itself was there."""
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                *address, ssl=self.context, ssl_shutdown_timeout=SHUTDOWN_SECONDS
            )
        bound(writer)
        talk = _Talk(self.hears)
        link = talk.link = Link(StreamChannel(reader, writer), talk.said, _is_here, talk.gone)
        watching = asyncio.create_task(_watch(link, writer), name="liveness")
        try:
            await link.run()
        finally:
            watching.cancel()
            writer.close()
        return talk.is_self


class _Talk:
    """One link from the greeting to the end."""

    link: Link

    def __init__(self, hears: Hears) -> None:
        self._hears = hears
        self._peer: Peer | None = None
        self.is_self = False

    def said(self, op: str, body: Any) -> None:
        if op == "hello":
            self._greet(body)
        elif self._peer is not None:
            self._hears.said(self._peer, op, body)

    def gone(self) -> None:
        peer, self._peer = self._peer, None
        if peer is not None:
            self._hears.gone(peer)

    def _greet(self, body: Any) -> None:
        if body["version"] != VERSION:
            _log().error("another gateway is of another version: update it")
        elif body["id"] == self._hears.name:
            self.is_self = True
        else:
            peer = Peer(self.link, PeerView(body["id"], time.monotonic() - body["now"]))
            if self._hears.came(peer):
                self._peer = peer
                self.link.say("listens", self._hears.name)
                return
        self.link.close()


async def _watch(link: Link, writer: asyncio.StreamWriter) -> None:
    """End a link on which nothing comes any more."""
    seen, lives = link.heard, Liveness(time.monotonic())
    while not lives.dead:
        await asyncio.sleep(BEAT_SECONDS)
        lives, seen = lives.look(time.monotonic(), link.heard != seen), link.heard
    _log().error("another gateway is silent: it is given up", seconds=lives.silent)
    link.close()
    # It would be waited for to say that it has ended.
    writer.transport.abort()


def bound(writer: asyncio.StreamWriter) -> None:
    """Have the kernel end a connection whose other end acknowledges nothing."""
    end = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


async def _lookup(address: Address) -> list[Address]:
    """Return every address that a name stands for; none while it stands for nothing."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(*address, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # The latter where it can be no name.
        return []
    return [(entry[4][0], entry[4][1]) for entry in found if isinstance(entry[4][0], str)]


async def _is_here(op: str, _body: Any) -> None:
    if op != "ping":
        raise LookupError("whoever speaks asks nothing but whether that is heard")


def _log() -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("peers")
    return logger
