"""A live call into a real sidecar: one process serves, another publishes, this one subscribes and reads the counters.

Everything is measured over one span, after every participant has been scored once; what happened before (starts,
connections, first words) is told apart.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from monitor.lab.bench.child import BenchError
from monitor.lab.bench.observations import Observer
from monitor.lab.bench.process_usage import Usage
from monitor.lab.bench.processes import BenchSetup, Progress, PublisherProcess, publisher, sidecar
from monitor.lab.bench.subscriber import CallCost, SpanReadings, call_cost, percentile, slope, subscribed
from monitor.tap.media.config import local_addresses

STARTS = 3
IDLE_SECONDS = 2.0
SLOPE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall(CallCost):
    """What a live call cost; seconds, cores and megabytes. Lists hold one value a participant.

    `enrolled` says whether everybody claimed an enrolled identity; `scored` is the share of hops at which each detector
    gave a score.
    """

    enrolled: bool
    span: float
    ready: list[float]
    baseline_mb: float
    first_mb: float
    idle_cores: float
    loop_cores: float
    memory_mb: float
    slope_mb_per_hour: float | None
    socket_p50: float | None
    socket_p95: float | None
    received_p95: float | None
    first_state: list[float]
    first_verdict: list[float]
    late_hops: int
    frames_per_second: float | None
    state_bytes: float | None
    scored: dict[str, float]
    verdicts: dict[str, int]

    @property
    def cores_per_participant(self) -> float:
        """Cores of the sidecar's process for each participant."""
        return self.cores / self.participants


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes with nobody, and with one participant whom every detector has scored."""

    nobody: int
    alone: int

    def per_participant(self, together: int, people: int) -> float:
        """Return what one more participant takes: the first one of a process pays for what all of them share."""
        return (together - self.alone) / (people - 1) if people > 1 else together - self.nobody


def check_network() -> None:
    """Raise `BenchError` where media cannot be sent from one process of this machine to another."""
    if not local_addresses():
        raise BenchError("this machine has no network address but loopback, and media are not sent over that")


async def measure(
    stream: Path, setup: BenchSetup, participants: int, seconds: float, progress: Progress = lambda _part, _done: None
) -> LiveCall:
    """Publish `stream` for `participants` and measure `seconds`; raises `BenchError`, one line that says why not."""
    check_network()
    ready = []
    for number in range(STARTS - 1):
        progress("starting the sidecar", number / STARTS)
        async with sidecar(setup, participants) as server:
            ready.append(server.ready_seconds)
    async with subscribed(setup, participants) as subscription:
        ready.append(subscription.server.ready_seconds)
        progress("idle", 0.0)
        before = subscription.server.usage()
        await subscription.pause(IDLE_SECONDS)
        idle, baseline = subscription.server.usage().since(before), subscription.server.rss()
        observer = subscription.observer
        async with AsyncExitStack() as stack:

            async def publish(people: range) -> PublisherProcess:
                return await stack.enter_async_context(
                    publisher(stream, subscription.server, people, setup, observer, progress)
                )

            senders = [await publish(range(1, 2))]
            await subscription.warm(3 if setup.identity else 1, lambda done: progress("the first participant", done))
            alone = subscription.server.rss()
            if participants > 1:
                senders.append(await publish(range(2, participants + 1)))
            await subscription.settle(participants, lambda done: progress("waiting for the first verdicts", done))
            span = await subscription.span(seconds, *senders, progress=lambda done: progress("a live call", done))
        late = max(sender.late for sender in senders)
        return _describe(span, observer, setup, participants, ready, idle, Memory(baseline, alone), late)


def _describe(
    span: SpanReadings,
    observer: Observer,
    setup: BenchSetup,
    people: int,
    ready: list[float],
    idle: Usage,
    memory: Memory,
    late: float,
) -> LiveCall:
    used, messages = span.used, span.messages
    written = span.histogram("decision_to_socket_seconds")
    return LiveCall(
        **asdict(call_cost(span, people, late)),
        enrolled=setup.identity is not None,
        span=used.at,
        ready=ready,
        baseline_mb=memory.nobody / 1e6,
        first_mb=(memory.alone - memory.nobody) / 1e6,
        idle_cores=idle.process / idle.at,
        loop_cores=used.loop / used.at / people,
        memory_mb=memory.per_participant(span.memory[-1][1], people) / 1e6,
        slope_mb_per_hour=slope(span.memory) / people if used.at >= SLOPE_SECONDS else None,
        socket_p50=written.quantile(0.5),
        socket_p95=written.quantile(0.95),
        received_p95=percentile(messages.delays_seconds, 0.95),
        first_state=observer.first(observer.states),
        first_verdict=observer.first(observer.scored),
        late_hops=span.counted("hops_late_total"),
        frames_per_second=percentile(messages.frame_rates, 0.05),
        state_bytes=messages.state_bytes,
        scored={name: count / messages.hops for name, count in sorted(messages.scored.items())},
        verdicts=messages.verdicts,
    )
