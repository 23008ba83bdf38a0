"""A running sidecar with somebody who watches it: readings over a span of time, and what subscribers were told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from monitor.lab.bench.child import BenchError, last_line
from monitor.lab.bench.exposition import Exposition, Histogram
from monitor.lab.bench.participants import Place, Sender, Sidecar, background, sidecar
from monitor.lab.bench.process_usage import Usage
from monitor.lab.bench.publisher import RefusedError
from monitor.lab.bench.sidecar import Told, Witness

SETTLE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Watch:
    """A sidecar, what a subscriber of it sees, and the task that sees it."""

    server: Sidecar
    witness: Witness
    task: asyncio.Task[None]

    async def pause(self, seconds: float) -> None:
        """Let time pass, or fail as soon as the subscriber has."""
        await asyncio.wait([self.task], timeout=seconds)
        if self.task.done():
            self.task.result()
            raise BenchError("the sidecar ended the subscription")

    async def settle(self, people: int, tell: Callable[[float], None] = lambda _: None) -> None:
        """Wait until so many have been scored, or for so long that nobody else will be."""
        await self._until(lambda: len(self.witness.scored) / people, tell)

    async def warm(self, detectors: int, tell: Callable[[float], None] = lambda _: None) -> None:
        """Wait until so many detectors have scored somebody, or for so long that no other will."""
        await self._until(lambda: len(self.witness.told().scored) / detectors, tell)

    async def _until(self, share: Callable[[], float], tell: Callable[[float], None]) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while share() < 1 and time.monotonic() < deadline:
            tell(share())
            await self.pause(0.25)

    async def span(self, seconds: float, *senders: Sender, tell: Callable[[float], None] = lambda _: None) -> Span:
        """Take the readings of so many seconds from now; `senders` are all who publish meanwhile."""
        numbers = await self.server.numbers()
        self.witness.begin_span()
        before, sent = self.server.usage(), sum(one.cpu() for one in senders)
        memory = [(before.at, self.server.rss())]
        while (passed := time.monotonic() - before.at) < seconds:
            tell(passed / seconds)
            await self.pause(min(1.0, seconds - passed))
            memory.append((time.monotonic(), self.server.rss()))
        used, sent = self.server.usage().since(before), sum(one.cpu() for one in senders) - sent
        return Span(used, sent, numbers, await self.server.numbers(), memory, self.witness.told())


@dataclass(frozen=True, slots=True)
class Span:
    """Readings of a span: `sent` is the publishers' processor time, `memory` pairs of seconds and resident bytes."""

    used: Usage
    sent: float
    before: Exposition
    after: Exposition
    memory: list[tuple[float, int]]
    told: Told

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.used.at

    @property
    def others(self) -> float:
        """Cores that other processes than sidecar and publishers took."""
        return max(self.used.machine - self.used.process - self.sent, 0.0) / self.seconds

    def histogram(self, name: str) -> Histogram:
        """Give what a histogram took in."""
        return self.after.histogram(name).since(self.before.histogram(name))

    def counted(self, name: str) -> int:
        """Give by how much a counter rose."""
        return round(self.after.value(name) - self.before.value(name))


@contextlib.asynccontextmanager
async def watched(place: Place, places: int) -> AsyncIterator[Watch]:
    """Run a sidecar and subscribe to it; raises `BenchError` where it does not start, or goes away."""
    async with sidecar(place, places) as server:
        url = server.base.replace("http", "ws", 1) + "/v1/alerts"
        try:
            async with connect(url, subprotocols=[Subprotocol("sidewitness.alerts.v1")], proxy=None) as socket:
                subscription = {"type": "subscribe", "token": server.token, "after": None, "states": True}
                await socket.send(json.dumps(subscription))
                witness = Witness()
                async with background(_take(socket, witness)) as task:
                    yield Watch(server, witness, task)
        except (ConnectionClosed, OSError, RefusedError) as error:
            why = last_line(place.folder / "sidecar.log")
            raise BenchError(f"the sidecar went away ({type(error).__name__}): {why}") from None


async def _take(socket: ClientConnection, witness: Witness) -> None:
    async for text in socket:
        witness.take(json.loads(text), time.monotonic(), time.time())


def percentile(values: list[float], q: float) -> float | None:
    """Give the value below which a share `q` of the values lies, None without any."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else None


def slope(points: list[tuple[float, int]]) -> float:
    """Megabytes an hour through (seconds, bytes): the median of `slopes`, 0 where there are none."""
    found = slopes(points)
    return median(found) if found else 0.0


def slopes(points: list[tuple[float, int]]) -> list[float]:
    """Megabytes an hour between all points (seconds, bytes) half the span apart or more; empty for less than two.

    Theil and Sen's estimate leaves near pairs in; of memory, which moves in steps, they say nothing.
    """
    apart = len(points) // 2
    if not apart:
        return []
    at, size = np.array(points, np.float64).T
    first, last = np.triu_indices(len(points), apart)
    found: list[float] = ((size[last] - size[first]) / (at[last] - at[first]) * 3600 / 1e6).tolist()
    return found
