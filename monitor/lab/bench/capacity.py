"""How many live participants a machine holds: the largest call whose scores stay young and of which nothing is dropped.

Calls are doubled until one does not hold, then the answer is found between the two. Every call is published anew by
real peers in another process, to one sidecar.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.lab.bench.budgets import AGE, BUDGETS
from monitor.lab.bench.live import check_network
from monitor.lab.bench.participants import Full, Place, Tell, publisher
from monitor.lab.bench.subscriber import Span, Watch, watched

STEP_SECONDS = 12.0
MOST = 32
LATE = 0.25
OVERLOADED = "inconclusive/overloaded"


@dataclass(frozen=True, slots=True)
class Step:
    """One call: what was seen of it, and `why` it did not hold, empty where it did."""

    participants: int
    age_p50: float | None = None
    age_p95: float | None = None
    cores: float = 0.0
    publisher_cores: float = 0.0
    publisher_late: float = 0.0
    others_cores: float = 0.0
    dropped: int = 0
    overloaded: int = 0
    scored: float = 0.0
    why: str = ""

    @property
    def held(self) -> bool:
        """Whether the machine could judge so many."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Capacity:
    """The calls that were tried, in that order, on so many cores (of `machine` ones) with everybody enrolled or not."""

    steps: tuple[Step, ...]
    cores: int
    machine: int
    enrolled: bool
    seconds: float

    @property
    def most(self) -> int:
        """The largest call that held with none below that did not, 0 where not even one participant could be judged."""
        limit = self.beyond.participants if self.beyond else MOST + 1
        return max((s.participants for s in self.steps if s.held and s.participants < limit), default=0)

    @property
    def beyond(self) -> Step | None:
        """The smallest call that did not hold; None where all did."""
        return min((step for step in self.steps if not step.held), key=lambda step: step.participants, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs, steps by size."""
        steps = sorted(self.steps, key=lambda step: step.participants)
        told = [{name: getattr(step, name) for name in (*Step.__slots__, "held")} for step in steps]
        return {
            "participants": self.most,
            "cores": self.cores,
            "machine_cores": self.machine,
            "enrolled": self.enrolled,
            "seconds": self.seconds,
            "steps": told,
        }


def next_try(held: Mapping[int, bool], first: int, most: int) -> int | None:
    """Say how many to try next, None when it is known; `held` says of the sizes tried so far whether they held."""
    if not held:
        return first
    beyond = min((size for size, ok in held.items() if not ok), default=None)
    # A size that held above one that did not is luck: the machine is not sure of it.
    best = max((size for size, ok in held.items() if ok and (beyond is None or size < beyond)), default=0)
    if beyond is None:
        return min(2 * best, most) if best < most else None
    return (best + beyond) // 2 if beyond - best > 1 else None


def judge(step: Step, limit: float = BUDGETS[AGE][1].limit) -> str:
    """Say why a call does not hold, nothing where it does; a score's age may be `limit` seconds."""
    if step.publisher_late > LATE:
        return f"the publisher was {step.publisher_late:.1f} s late: this machine cannot send so many"
    if step.dropped:
        return f"{step.dropped} frames or blocks were dropped"
    if step.overloaded:
        return f"{step.overloaded} hops were inconclusive because the machine was overloaded"
    if step.age_p95 is None:
        return "no score had an age: no clock was mapped"
    return f"score age p95 {step.age_p95:.2f} s" if step.age_p95 > limit else ""


async def measure(
    stream: Path,
    place: Place,
    first: int,
    seconds: float = STEP_SECONDS,
    most: int = MOST,
    tell: Tell = lambda _part, _done: None,
) -> Capacity:
    """Find the largest call that holds, beginning with `first` participants; raises `BenchError`."""
    check_network()
    steps: list[Step] = []
    async with watched(place, most) as watch:
        while (size := next_try({step.participants: step.held for step in steps}, first, most)) is not None:
            steps.append(await _try(stream, place, watch, size, seconds, _telling(tell, size, steps)))
    machine = len(os.sched_getaffinity(0))
    return Capacity(tuple(steps), len(place.cores or ()) or machine, machine, place.identity is not None, seconds)


async def _try(
    stream: Path, place: Place, watch: Watch, size: int, seconds: float, tell: Callable[[float], None]
) -> Step:
    watch.witness.forget()
    try:
        people = range(1, size + 1)
        async with publisher(stream, watch.server, people, place, watch.witness, lambda _part, _done: None) as sender:
            await watch.settle(size)
            span = await watch.span(seconds, sender, tell=tell)
    except Full:
        return Step(size, why="the sidecar refused a newcomer: it had no room")
    return step_of(span, size, sender.late)


def step_of(span: Span, size: int, late: float) -> Step:
    """Make a step of the readings of a call."""
    age = span.histogram("score_age_seconds")
    words = span.told.verdicts
    step = Step(
        size,
        age.quantile(0.5),
        age.quantile(0.95),
        span.used.process / span.seconds,
        span.sent / span.seconds,
        late,
        span.others,
        span.counted("media_items_dropped_total"),
        sum(count for word, count in words.items() if word == OVERLOADED),
        sum(span.told.scored.values()) / max(span.told.hops, 1),
    )
    return replace(step, why=judge(step))


def _telling(tell: Tell, size: int, steps: Iterable[Step]) -> Callable[[float], None]:
    held = [step.participants for step in steps if step.held]
    known = f", {max(held)} held" if held else ""
    return lambda done: tell(f"a call of {size}{known}", done)
