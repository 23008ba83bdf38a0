"""How many live participants a machine holds: the largest call whose scores stay young and of which nothing is dropped.

Calls are doubled until one does not hold, then the answer is found between the two. Every call is published anew by
real peers in another process, to one sidecar.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from monitor.lab.bench.budgets import AGE, BUDGETS
from monitor.lab.bench.live import check_network
from monitor.lab.bench.processes import BenchSetup, Progress, SidecarFull, publisher
from monitor.lab.bench.subscriber import CallCost, SpanReadings, Subscription, call_cost, subscribed

STEP_SECONDS = 12.0
MAX_PARTICIPANTS = 32
MAX_PUBLISHER_LATE_SECONDS = 0.25
OVERLOADED = "inconclusive/overloaded"


@dataclass(frozen=True, slots=True)
class CapacityStep(CallCost):
    """One call of the search: what it cost, and `why` it did not hold, empty where it did.

    `memory_mb` is the resident memory of the sidecar at the end.
    """

    overloaded: int = 0
    scored: float = 0.0
    memory_mb: float = 0.0
    why: str = ""

    @property
    def held(self) -> bool:
        """Whether the machine could judge so many."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Capacity:
    """The calls that were tried, in that order, on so many cores (of `machine` ones) with everybody enrolled or not."""

    steps: tuple[CapacityStep, ...]
    cores: int
    machine: int
    enrolled: bool
    seconds: float

    @property
    def largest_call(self) -> int:
        """The largest call that held with none below that did not, 0 where not even one participant could be judged."""
        limit = self.first_failed.participants if self.first_failed else MAX_PARTICIPANTS + 1
        return max((s.participants for s in self.steps if s.held and s.participants < limit), default=0)

    @property
    def first_failed(self) -> CapacityStep | None:
        """The smallest call that did not hold; None where all did."""
        return min((step for step in self.steps if not step.held), key=lambda step: step.participants, default=None)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs, steps by size."""
        steps = sorted(self.steps, key=lambda step: step.participants)
        names = [field.name for field in fields(CapacityStep)]
        steps_json = [{name: getattr(step, name) for name in (*names, "held")} for step in steps]
        return {
            "participants": self.largest_call,
            "cores": self.cores,
            "machine_cores": self.machine,
            "enrolled": self.enrolled,
            "seconds": self.seconds,
            "steps": steps_json,
        }


def next_try(held: Mapping[int, bool], first: int, max_participants: int) -> int | None:
    """Say how many to try next, None when it is known; `held` says of the sizes tried so far whether they held."""
    if not held:
        return first
    beyond = min((size for size, ok in held.items() if not ok), default=None)
    # A size that held above one that did not is luck: the machine is not sure of it.
    best = max((size for size, ok in held.items() if ok and (beyond is None or size < beyond)), default=0)
    if beyond is None:
        return min(2 * best, max_participants) if best < max_participants else None
    return (best + beyond) // 2 if beyond - best > 1 else None


def judge(step: CapacityStep, limit: float = BUDGETS[AGE][1].limit) -> str:
    """Say why a call does not hold, nothing where it does; a score's age may be `limit` seconds."""
    if step.publisher_late > MAX_PUBLISHER_LATE_SECONDS:
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
    setup: BenchSetup,
    first: int,
    seconds: float = STEP_SECONDS,
    max_participants: int = MAX_PARTICIPANTS,
    progress: Progress = lambda _part, _done: None,
) -> Capacity:
    """Find the largest call that holds, beginning with `first` participants; raises `BenchError`."""
    check_network()
    steps: list[CapacityStep] = []
    async with subscribed(setup, max_participants) as subscription:
        while (size := next_try({step.participants: step.held for step in steps}, first, max_participants)) is not None:
            steps.append(await _try(stream, setup, subscription, size, seconds, _progress_of(progress, size, steps)))
    machine = len(os.sched_getaffinity(0))
    return Capacity(tuple(steps), len(setup.cores or ()) or machine, machine, setup.identity is not None, seconds)


async def _try(
    stream: Path,
    setup: BenchSetup,
    subscription: Subscription,
    size: int,
    seconds: float,
    progress: Callable[[float], None],
) -> CapacityStep:
    subscription.observer.forget()
    try:
        people = range(1, size + 1)
        async with publisher(
            stream, subscription.server, people, setup, subscription.observer, lambda _part, _done: None
        ) as sender:
            await subscription.settle(size)
            span = await subscription.span(seconds, sender, progress=progress)
    except SidecarFull:
        return CapacityStep(size, why="the sidecar refused a newcomer: it had no room")
    return step_of(span, size, sender.late)


def step_of(span: SpanReadings, size: int, late: float) -> CapacityStep:
    """Make a step of the readings of a call."""
    step = CapacityStep(
        **asdict(call_cost(span, size, late)),
        overloaded=span.messages.verdicts.get(OVERLOADED, 0),
        scored=sum(span.messages.scored.values()) / max(span.messages.hops, 1),
        memory_mb=span.memory[-1][1] / 1e6 if span.memory else 0.0,
    )
    return replace(step, why=judge(step))


def _progress_of(progress: Progress, size: int, steps: Iterable[CapacityStep]) -> Callable[[float], None]:
    held = [step.participants for step in steps if step.held]
    held_note = f", {max(held)} held" if held else ""
    return lambda done: progress(f"a call of {size}{held_note}", done)
