"""A running sidecar and a subscriber to it: readings over a span of time, and the messages that subscribers got."""

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
from monitor.lab.bench.observations import Observer, SpanMessages
from monitor.lab.bench.process_usage import Usage
from monitor.lab.bench.processes import BenchSetup, PublisherProcess, SidecarProcess, background, sidecar
from monitor.lab.bench.publisher import RefusedError

SETTLE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """A sidecar, what a subscriber of it sees, and the task that sees it."""

    server: SidecarProcess
    observer: Observer
    task: asyncio.Task[None]

    async def pause(self, seconds: float) -> None:
        """Let time pass, or fail as soon as the subscriber has."""
        await asyncio.wait([self.task], timeout=seconds)
        if self.task.done():
            self.task.result()
            raise BenchError("the sidecar ended the subscription")

    async def settle(self, people: int, progress: Callable[[float], None] = lambda _: None) -> None:
        """Wait until so many have been scored, or for so long that nobody else will be."""
        await self._until(lambda: len(self.observer.scored) / people, progress)

    async def warm(self, detectors: int, progress: Callable[[float], None] = lambda _: None) -> None:
        """Wait until so many detectors have scored somebody, or for so long that no other will."""
        await self._until(lambda: len(self.observer.messages().scored) / detectors, progress)

    async def _until(self, share: Callable[[], float], progress: Callable[[float], None]) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while share() < 1 and time.monotonic() < deadline:
            progress(share())
            await self.pause(0.25)

    async def span(
        self, seconds: float, *senders: PublisherProcess, progress: Callable[[float], None] = lambda _: None
    ) -> SpanReadings:
        """Take the readings of so many seconds from now; `senders` are all who publish meanwhile."""
        numbers = await self.server.numbers()
        self.observer.begin_span()
        before, published_before = self.server.usage(), sum(sender.cpu() for sender in senders)
        memory = [(before.at, self.server.rss())]
        while (passed := time.monotonic() - before.at) < seconds:
            progress(passed / seconds)
            await self.pause(min(1.0, seconds - passed))
            memory.append((time.monotonic(), self.server.rss()))
        used, published = self.server.usage().since(before), sum(sender.cpu() for sender in senders) - published_before
        return SpanReadings(used, published, numbers, await self.server.numbers(), memory, self.observer.messages())


@dataclass(frozen=True, slots=True)
class SpanReadings:
    """Readings over a span of time; `memory` are pairs of seconds and resident bytes, about one a second."""

    used: Usage
    publisher_cpu_seconds: float
    before: Exposition
    after: Exposition
    memory: list[tuple[float, int]]
    messages: SpanMessages

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.used.at

    @property
    def other_cores(self) -> float:
        """Cores that other processes than sidecar and publishers took."""
        return max(self.used.machine - self.used.process - self.publisher_cpu_seconds, 0.0) / self.seconds

    def histogram(self, name: str) -> Histogram:
        """Compute what a histogram counted within the span."""
        return self.after.histogram(name).since(self.before.histogram(name))

    def counted(self, name: str) -> int:
        """Compute by how much a counter rose."""
        return round(self.after.value(name) - self.before.value(name))


@dataclass(frozen=True, slots=True)
class CallCost:
    """What a call of so many cost over a span: ages in seconds, processor time in cores, all participants together.

    `publisher_late` is by how many seconds the publisher fell behind real time.
    """

    participants: int
    age_p50: float | None = None
    age_p95: float | None = None
    cores: float = 0.0
    publisher_cores: float = 0.0
    publisher_late: float = 0.0
    others_cores: float = 0.0
    dropped: int = 0


def call_cost(span: SpanReadings, participants: int, publisher_late: float) -> CallCost:
    """Compute what a call cost from the readings of a span."""
    age = span.histogram("score_age_seconds")
    return CallCost(
        participants,
        age.quantile(0.5),
        age.quantile(0.95),
        span.used.process / span.seconds,
        span.publisher_cpu_seconds / span.seconds,
        publisher_late,
        span.other_cores,
        span.counted("media_items_dropped_total"),
    )


@contextlib.asynccontextmanager
async def subscribed(setup: BenchSetup, max_participants: int) -> AsyncIterator[Subscription]:
    """Run a sidecar and subscribe to it; raises `BenchError` where it does not start, or goes away."""
    async with sidecar(setup, max_participants) as server:
        url = server.base.replace("http", "ws", 1) + "/v1/alerts"
        try:
            async with connect(url, subprotocols=[Subprotocol("sidewitness.alerts.v1")], proxy=None) as socket:
                subscription = {"type": "subscribe", "token": server.token, "after": None, "states": True}
                await socket.send(json.dumps(subscription))
                observer = Observer()
                async with background(_take(socket, observer)) as task:
                    yield Subscription(server, observer, task)
        except (ConnectionClosed, OSError, RefusedError) as error:
            why = last_line(setup.folder / "sidecar.log")
            raise BenchError(f"the sidecar went away ({type(error).__name__}): {why}") from None


async def _take(socket: ClientConnection, observer: Observer) -> None:
    async for text in socket:
        observer.observe(
            json.loads(text), time.monotonic(), time.time(), len(text.encode() if isinstance(text, str) else text)
        )


def percentile(values: list[float], q: float) -> float | None:
    """Return the value below which a share `q` of the values lies, None without any."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else None


def slope(points: list[tuple[float, int]]) -> float:
    """Megabytes an hour through (seconds, bytes): the median of `slopes`, 0 where there are none."""
    slopes_mb_per_hour = slopes(points)
    return median(slopes_mb_per_hour) if slopes_mb_per_hour else 0.0


def slopes(points: list[tuple[float, int]]) -> list[float]:
    """Megabytes an hour between all points (seconds, bytes) half the span apart or more; empty for less than two.

    Theil and Sen's estimate leaves near pairs in; of memory, which moves in steps, they say nothing.
    """
    min_distance = len(points) // 2
    if not min_distance:
        return []
    at, size = np.array(points, np.float64).T
    first, last = np.triu_indices(len(points), min_distance)
    slopes_mb_per_hour: list[float] = ((size[last] - size[first]) / (at[last] - at[first]) * 3600 / 1e6).tolist()
    return slopes_mb_per_hour
