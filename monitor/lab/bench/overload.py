"""Twice the load that a machine holds: who is shed and says so, what becomes of the others, whether memory grows.

Everybody is connected before anybody sends, because a sidecar under pressure refuses newcomers. Then the first half
sends, which the machine holds, and then all do at once. In the end the second half leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from monitor.lab.bench.capacity import OVERLOADED
from monitor.lab.bench.live import check_network
from monitor.lab.bench.processes import BenchSetup, Progress, publisher
from monitor.lab.bench.subscriber import SpanReadings, subscribed

MIN_SECONDS = 30.0
BEFORE_SECONDS = 6.0
# What the sidecar needs to notice, to shed and to find its balance is not part of the span.
BALANCE_SECONDS = 10.0
RECOVERY_SECONDS = 20.0
LAST_SECONDS = 4.0
FAILURES = "session_failures_total"
# Of what is said of a participant in the span.
SHED_SHARE, JUDGED_SHARE = 0.8, 0.1


@dataclass(frozen=True, slots=True)
class Overload:
    """What happened at twice `sustainable`; ages in seconds, memory in megabytes a participant.

    `shed` said "overloaded" nearly always, `kept` nearly never, `between` are the others; numbers are those of joining.
    `sheds` is how often somebody was shed in the span, after the balance was found. Of the `silent` nothing was said.
    `recovered` are those of the first half who were judged again once the second had been gone for `recovery_seconds`.
    """

    sustainable: int
    admitted: int
    refused: int
    seconds: float
    age_before: float | None
    age_p95: float | None
    shed: tuple[int, ...]
    kept: tuple[int, ...]
    between: tuple[int, ...]
    silent: tuple[int, ...]
    scored: float
    dropped: int
    sheds: int
    failures: int
    cores: float
    growth_mb: float
    recovered: tuple[int, ...]
    recovery_seconds: float
    others_cores: float

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


async def measure(
    stream: Path, setup: BenchSetup, sustainable: int, seconds: float, progress: Progress = lambda _part, _done: None
) -> Overload:
    """Load a sidecar with twice `sustainable` participants for `seconds`; raises `BenchError`, also where it dies."""
    check_network()
    seconds = max(seconds, MIN_SECONDS)
    first, second = range(1, sustainable + 1), range(sustainable + 1, 2 * sustainable + 1)
    async with subscribed(setup, 2 * sustainable) as subscription:
        observer, server = subscription.observer, subscription.server
        async with publisher(stream, server, first, setup, observer, progress, held=True) as early:
            async with publisher(stream, server, second, setup, observer, progress, held=True) as late:
                early.go()
                await subscription.settle(len(first) - early.refused, lambda done: progress("half of the load", done))
                before = await subscription.span(BEFORE_SECONDS, early, late)
                late.go()
                progress("twice the load begins", 0.0)
                await subscription.pause(BALANCE_SECONDS)
                span = await subscription.span(
                    seconds, early, late, progress=lambda done: progress("twice the load", done)
                )
            progress("half of the load again", 0.0)
            await subscription.pause(RECOVERY_SECONDS)
            after = await subscription.span(LAST_SECONDS, early)
        refused = early.refused + late.refused
        return describe(before, span, after, sustainable, refused)


def describe(before: SpanReadings, span: SpanReadings, after: SpanReadings, sustainable: int, refused: int) -> Overload:
    """Make the result of the readings before, during and after."""
    shares = {int(who[1:]): span.messages.share(who, OVERLOADED) for who in span.messages.verdict_counts}
    admitted = 2 * sustainable - refused
    silent = () if refused else tuple(n for n in range(1, 2 * sustainable + 1) if n not in shares)
    shed = [n for n in sorted(shares) if shares[n] >= SHED_SHARE]
    judged = [n for n in sorted(shares) if shares[n] <= JUDGED_SHARE]
    judged_after = [
        int(who[1:]) for who in after.messages.verdict_counts if after.messages.share(who, OVERLOADED) <= JUDGED_SHARE
    ]
    return Overload(
        sustainable,
        admitted,
        refused,
        span.seconds,
        before.histogram("score_age_seconds").quantile(0.95),
        span.histogram("score_age_seconds").quantile(0.95),
        tuple(shed),
        tuple(judged),
        tuple(n for n in sorted(shares) if n not in shed and n not in judged),
        silent,
        sum(span.messages.scored.values()) / max(span.messages.hops, 1),
        span.counted("media_items_dropped_total"),
        span.counted("sheds_total"),
        round(after.after.value(FAILURES) - before.before.value(FAILURES)),
        span.used.process / span.seconds,
        growth([size for _, size in span.memory]) / max(admitted, 1),
        tuple(n for n in sorted(judged_after) if n <= sustainable),
        RECOVERY_SECONDS,
        span.other_cores,
    )


def growth(sizes: Sequence[int]) -> float:
    """Megabytes by which the last third of the resident bytes lies above the third before it."""
    third = len(sizes) // 3
    return (median(sizes[-third:]) - median(sizes[-2 * third : -third])) / 1e6 if third else 0.0
