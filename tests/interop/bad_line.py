"""A bad line without a kernel module: a UDP relay between publisher and sidecar, and a proxy that leads media to it.

The proxy takes the candidates out of the offer and puts the relay's address in the place of those of the answer: so all
packets, both ways, go through the relay, which loses, delays, reorders and limits them, or passes none for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.e2e.browser import serving
from tests.interop.sidecar import local_address

CANDIDATE = re.compile(r"a=candidate:(\S+) 1 udp (\d+) (\S+) (\d+) typ host[^\r\n]*")
ANY_CANDIDATE = re.compile(r"a=candidate:[^\r\n]*\r?\n")
# A line with a rate holds back as much as a slow modem does, then it drops.
BUFFER_SECONDS = 0.3
SEED = 20260301


@dataclass(frozen=True)
class Line:
    """How bad a line is: shares in 0 to 1, seconds, bits a second. Each way has the same."""

    loss: float = 0.0
    jitter_seconds: float = 0.0
    reorder: float = 0.0
    rate_bps: float = 0.0
    is_cut: bool = False


GOOD = Line()


class Relay:
    """Passes datagrams between one publisher and one sidecar, as well as `line` lets it."""

    def __init__(self, sidecar: tuple[str, int]) -> None:
        self.line = GOOD
        self._sidecar = sidecar
        self._publisher: tuple[Any, ...] | None = None
        self._random = random.Random(SEED)
        self._free_at = [0.0, 0.0]
        self._due_at = [0.0, 0.0]
        self._transports: list[asyncio.DatagramTransport] = []
        self.passed = self.lost = 0

    async def open(self) -> int:
        """Begin; gives the port for the publisher."""
        loop = asyncio.get_running_loop()
        for towards in (0, 1):
            endpoint = lambda side=towards: _Side(self, side)  # noqa: E731
            transport, _ = await loop.create_datagram_endpoint(endpoint, local_addr=(local_address(), 0))
            self._transports.append(transport)
        port: int = self._transports[0].get_extra_info("sockname")[1]
        return port

    def close(self) -> None:
        """End."""
        for transport in self._transports:
            transport.close()

    def receive(self, side: int, data: bytes, address: tuple[Any, ...]) -> None:
        """Take a datagram of the publisher (side 0) or of the sidecar (side 1)."""
        if side == 0:
            self._publisher = address
        target = self._sidecar if side == 0 else self._publisher
        delay = self._delay(side, len(data))
        if target is None or delay is None:
            self.lost += 1
            return
        self.passed += 1
        asyncio.get_running_loop().call_later(delay, self._send, 1 - side, data, target)

    def _delay(self, side: int, size: int) -> float | None:
        """Seconds by which a datagram is held back; None where it is lost."""
        line, now = self.line, time.monotonic()
        if line.is_cut or self._random.random() < line.loss:
            return None
        delay = 0.0
        if line.rate_bps:
            waits = max(0.0, self._free_at[side] - now)
            if waits > BUFFER_SECONDS:
                return None
            delay = waits + 8 * size / line.rate_bps
            self._free_at[side] = now + delay
        due = now + delay + self._random.random() * line.jitter_seconds
        if self._random.random() >= line.reorder:
            # In order: jitter of a queue does not let one packet pass another.
            due = self._due_at[side] = max(due, self._due_at[side])
        return due - now

    def _send(self, side: int, data: bytes, target: tuple[Any, ...]) -> None:
        if not self._transports[side].is_closing():
            self._transports[side].sendto(data, target)


class _Side(asyncio.DatagramProtocol):
    """One socket of the relay."""

    def __init__(self, relay: Relay, side: int) -> None:
        self._relay, self._side = relay, side

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._relay.receive(self._side, data, addr)


class BadLine:
    """The proxy in front of a sidecar; `relay` is there once somebody has published."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._relays: list[Relay] = []

    @property
    def relay(self) -> Relay:
        """That of the newest publication."""
        return self._relays[-1]

    async def pass_on(self, request: Request) -> Response:
        """Pass a request on to the sidecar."""
        body = await request.body()
        if request.method == "POST":
            body = ANY_CANDIDATE.sub("", body.decode()).encode()
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.request(
                request.method, self._upstream + request.url.path, content=body, headers=headers
            )
        content = answer.content
        if request.method == "POST" and answer.status_code == 201:
            content = (await self._through_relay(answer.text)).encode()
        passed = {name: value for name, value in answer.headers.items() if name not in ("content-length", "server")}
        return Response(content, answer.status_code, passed)

    async def _through_relay(self, answer: str) -> str:
        found = next(m for m in CANDIDATE.finditer(answer) if m[3] == local_address())
        relay = Relay((found[3], int(found[4])))
        self._relays.append(relay)
        port = await relay.open()
        ours = f"a=candidate:1 1 udp {found[2]} {local_address()} {port} typ host\r\n"
        head, _, tail = ANY_CANDIDATE.sub("", answer).partition("a=ice-ufrag")
        return f"{head}{ours}a=ice-ufrag{tail}"

    def close(self) -> None:
        """Close every relay."""
        for relay in self._relays:
            relay.close()


@contextlib.asynccontextmanager
async def bad_line(upstream: str) -> AsyncIterator[tuple[str, BadLine]]:
    """Serve the proxy; gives its base address and itself."""
    made = BadLine(upstream)
    methods = ["GET", "POST", "PATCH", "DELETE", "OPTIONS"]
    app = Starlette(routes=[Route("/{path:path}", made.pass_on, methods=methods)])
    async with serving(app) as base:
        try:
            yield base, made
        finally:
            made.close()
