"""A live call into a real sidecar: one process serves, another publishes, this one subscribes and reads the counters.

Everything is measured over one span, after every participant has been scored once; what happened before (starts,
connections, first words) is told apart.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from monitor.lab.bench.child import BenchError
from monitor.lab.bench.participants import Place, Sender, Tell, publisher, sidecar
from monitor.lab.bench.process_usage import Usage
from monitor.lab.bench.sidecar import Witness
from monitor.lab.bench.subscriber import Span, percentile, slope, watched
from monitor.tap.media.config import local_addresses

STARTS = 3
IDLE_SECONDS = 2.0
SLOPE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Live:
    """What a live call cost; seconds, cores and megabytes. Lists hold one value a participant.

    `enrolled` says whether everybody claimed an enrolled identity; `scored` is the share of hops at which each detector
    gave a score.
    """

    participants: int
    enrolled: bool
    span: float
    ready: list[float]
    baseline_mb: float
    first_mb: float
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
    scored: dict[str, float]
    verdicts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes with nobody, and with one participant whom every detector has scored."""

    nobody: int
    alone: int

    def each(self, together: int, people: int) -> float:
        """Give what one more participant takes: the first one of a process pays for what all of them share."""
        return (together - self.alone) / (people - 1) if people > 1 else together - self.nobody


def check_network() -> None:
    """Raise `BenchError` where media cannot be sent from one process of this machine to another."""
    if not local_addresses():
        raise BenchError("this machine has no network address but loopback, and media are not sent over that")


async def measure(
    stream: Path, place: Place, participants: int, seconds: float, tell: Tell = lambda _part, _done: None
) -> Live:
    """Publish `stream` for `participants` and measure `seconds`; raises `BenchError`, one line that says why not."""
    check_network()
    ready = []
    for number in range(STARTS - 1):
        tell("starting the sidecar", number / STARTS)
        async with sidecar(place, participants) as server:
            ready.append(server.ready_seconds)
    async with watched(place, participants) as watch:
        ready.append(watch.server.ready_seconds)
        tell("idle", 0.0)
        before = watch.server.usage()
        await watch.pause(IDLE_SECONDS)
        idle, baseline, witness = watch.server.usage().since(before), watch.server.rss(), watch.witness
        async with AsyncExitStack() as stack:

            async def publish(people: range) -> Sender:
                return await stack.enter_async_context(publisher(stream, watch.server, people, place, witness, tell))

            senders = [await publish(range(1, 2))]
            await watch.warm(3 if place.identity else 1, lambda done: tell("the first participant", done))
            alone = watch.server.rss()
            if participants > 1:
                senders.append(await publish(range(2, participants + 1)))
            await watch.settle(participants, lambda done: tell("waiting for the first verdicts", done))
            span = await watch.span(seconds, *senders, tell=lambda done: tell("a live call", done))
        late = max(one.late for one in senders)
        return _describe(span, witness, place, participants, ready, idle, Memory(baseline, alone), late)


def _describe(
    span: Span,
    witness: Witness,
    place: Place,
    people: int,
    ready: list[float],
    idle: Usage,
    memory: Memory,
    late: float,
) -> Live:
    used, told = span.used, span.told
    age, written = span.histogram("score_age_seconds"), span.histogram("decision_to_socket_seconds")
    return Live(
        participants=people,
        enrolled=place.identity is not None,
        span=used.at,
        ready=ready,
        baseline_mb=memory.nobody / 1e6,
        first_mb=(memory.alone - memory.nobody) / 1e6,
        idle_cores=idle.process / idle.at,
        cores=used.process / used.at / people,
        loop_cores=used.loop / used.at / people,
        others_cores=span.others,
        publisher_cores=span.sent / used.at,
        publisher_late=late,
        memory_mb=memory.each(span.memory[-1][1], people) / 1e6,
        slope_mb_per_hour=slope(span.memory) / people if used.at >= SLOPE_SECONDS else None,
        age_p50=age.quantile(0.5),
        age_p95=age.quantile(0.95),
        socket_p50=written.quantile(0.5),
        socket_p95=written.quantile(0.95),
        received_p95=percentile(told.delays, 0.95),
        first_state=witness.first(witness.states),
        first_verdict=witness.first(witness.scored),
        dropped=span.counted("media_items_dropped_total"),
        late_hops=span.counted("hops_late_total"),
        frames_per_second=percentile(told.rates, 0.05),
        scored={name: count / told.hops for name, count in sorted(told.scored.items())},
        verdicts=told.verdicts,
    )
