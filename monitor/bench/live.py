"""A live call into a real sidecar: one process serves, another publishes, this one subscribes and reads the counters.

Everything is measured over one span, after every participant has been scored once; what happened before (starts,
connections, first words) is told apart.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from monitor.bench.child import BenchError, last_line
from monitor.bench.exposition import Exposition, Histogram
from monitor.bench.parties import Sender, Sidecar, Tell, background, publisher, sidecar
from monitor.bench.procfs import Usage
from monitor.bench.publisher import RefusedError
from monitor.bench.witness import Witness
from monitor.tap.config import own_addresses

STARTS = 3
IDLE_SECONDS = 2.0
SETTLE_SECONDS = 15.0
SLOPE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Live:
    """What a live call cost; seconds, cores and megabytes. Lists hold one value a participant."""

    participants: int
    span: float
    ready: list[float]
    baseline_mb: float
    idle_cores: float
    cores: float
    loop_cores: float
    others_cores: float
    publisher_cores: float
    publisher_late: float
    memory_mb: float
    slope_mb_per_hour: float | None
    age_p50: float | None
    age_p95: float | None
    socket_p50: float | None
    socket_p95: float | None
    received_p95: float | None
    first_state: list[float]
    first_verdict: list[float]
    dropped: int
    late_hops: int
    frames_per_second: float | None
    verdicts: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Call:
    stream: Path
    folder: Path
    participants: int
    seconds: float
    tell: Tell


async def measure(
    stream: Path, folder: Path, participants: int, seconds: float, engine: str, tell: Tell = lambda *_: None
) -> Live:
    """Publish `stream` for `participants` and measure `seconds`; raises `BenchError`, one line that says why not."""
    if not own_addresses():
        raise BenchError("this machine has no network address but loopback, and media are not sent over that")
    call, ready = _Call(stream, folder, participants, seconds, tell), []
    for number in range(STARTS - 1):
        tell("starting the sidecar", number / STARTS)
        async with sidecar(folder, participants, engine) as server:
            ready.append(server.ready_seconds)
    async with sidecar(folder, participants, engine) as server:
        ready.append(server.ready_seconds)
        url = server.base.replace("http", "ws", 1) + "/v1/alerts"
        try:
            async with connect(url, subprotocols=[Subprotocol("sidewitness.alerts.v1")], proxy=None) as socket:
                return await _call(call, server, socket, ready)
        except (ConnectionClosed, OSError, RefusedError) as error:
            why = last_line(folder / "sidecar.log")
            raise BenchError(f"the sidecar went away ({type(error).__name__}): {why}") from None


@dataclass(frozen=True, slots=True)
class _Span:
    """The readings of the measured span; `sent` is the publisher's processor time, `memory` (seconds, bytes)."""

    used: Usage
    sent: float
    before: Exposition
    after: Exposition
    memory: list[tuple[float, int]]
    delays: list[float]
    rates: list[float]
    verdicts: dict[str, int]

    def histogram(self, name: str) -> Histogram:
        return self.after.histogram(name).since(self.before.histogram(name))

    def counted(self, name: str) -> int:
        return round(self.after.value(name) - self.before.value(name))


async def _call(call: _Call, server: Sidecar, socket: ClientConnection, ready: list[float]) -> Live:
    witness = Witness()
    await socket.send(json.dumps({"type": "subscribe", "token": server.token, "after": None, "states": True}))
    async with background(_watch(socket, witness)) as watching:
        call.tell("idle", 0.0)
        before = server.usage()
        await _pause(IDLE_SECONDS, watching)
        idle = server.usage().since(before)
        baseline = server.rss()
        async with publisher(call.stream, server, call.participants, call.folder, witness, call.tell) as sender:
            await _settle(witness, call, watching)
            span = await _span(server, sender, witness, call, watching)
        return _describe(call, span, witness, ready, idle, baseline, sender.late)


def _describe(
    call: _Call, span: _Span, witness: Witness, ready: list[float], idle: Usage, baseline: int, late: float
) -> Live:
    used, people = span.used, call.participants
    age, written = span.histogram("score_age_seconds"), span.histogram("decision_to_socket_seconds")
    return Live(
        participants=people,
        span=used.at,
        ready=ready,
        baseline_mb=baseline / 1e6,
        idle_cores=idle.process / idle.at,
        cores=used.process / used.at / people,
        loop_cores=used.loop / used.at / people,
        others_cores=max(used.machine - used.process - span.sent, 0.0) / used.at,
        publisher_cores=span.sent / used.at,
        publisher_late=late,
        memory_mb=(span.memory[-1][1] - baseline) / 1e6 / people,
        slope_mb_per_hour=slope(span.memory) / people if used.at >= SLOPE_SECONDS else None,
        age_p50=age.quantile(0.5),
        age_p95=age.quantile(0.95),
        socket_p50=written.quantile(0.5),
        socket_p95=written.quantile(0.95),
        received_p95=percentile(span.delays, 0.95),
        first_state=witness.first(witness.states),
        first_verdict=witness.first(witness.scored),
        dropped=span.counted("media_items_dropped_total"),
        late_hops=span.counted("hops_late_total"),
        frames_per_second=percentile(span.rates, 0.05),
        verdicts=span.verdicts,
    )


async def _span(server: Sidecar, sender: Sender, witness: Witness, call: _Call, watching: asyncio.Task[None]) -> _Span:
    numbers = await server.numbers()
    witness.begin_span()
    before, sent = server.usage(), sender.cpu()
    memory = [(before.at, server.rss())]
    while (passed := time.monotonic() - before.at) < call.seconds:
        call.tell("a live call", passed / call.seconds)
        await _pause(min(1.0, call.seconds - passed), watching)
        memory.append((time.monotonic(), server.rss()))
    used, sent = server.usage().since(before), sender.cpu() - sent
    delays, rates, verdicts = list(witness.delays), list(witness.rates), dict(witness.verdicts)
    return _Span(used, sent, numbers, await server.numbers(), memory, delays, rates, verdicts)


async def _settle(witness: Witness, call: _Call, watching: asyncio.Task[None]) -> None:
    """Wait until everybody has been scored, or for so long that nobody will be."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while len(witness.scored) < call.participants and time.monotonic() < deadline:
        call.tell("waiting for the first verdicts", len(witness.scored) / call.participants)
        await _pause(0.25, watching)


async def _pause(seconds: float, watching: asyncio.Task[None]) -> None:
    """Let time pass, or fail as soon as the subscriber has."""
    await asyncio.wait([watching], timeout=seconds)
    if watching.done():
        watching.result()
        raise BenchError("the sidecar ended the subscription")


async def _watch(socket: ClientConnection, witness: Witness) -> None:
    async for text in socket:
        witness.take(json.loads(text), time.monotonic(), time.time())


def percentile(values: list[float], q: float) -> float | None:
    """Give the value below which a share `q` of the values lies, None without any."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else None


def slope(points: list[tuple[float, int]]) -> float:
    """Megabytes an hour through (seconds, bytes): the median of the slopes between points half the span apart."""
    apart = len(points) // 2
    if not apart:
        return 0.0
    found = [(b - a) / (t - s) for (s, a), (t, b) in zip(points[:-apart], points[apart:], strict=True)]
    return median(found) * 3600 / 1e6
