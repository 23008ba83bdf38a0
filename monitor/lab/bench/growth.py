"""Participants against cores, age of scores and memory, in one process and in several: the same search twice in a run.

The two are searched one after the other, on the same cores with the same stream, so their ratio says more than either.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from monitor.lab.bench import capacity
from monitor.lab.bench.capacity import MAX_PARTICIPANTS, STEP_SECONDS, Capacity, CapacityStep
from monitor.lab.bench.processes import BenchSetup, Progress


@dataclass(frozen=True, slots=True)
class Growth:
    """What one process holds, and what so many do."""

    processes: int
    one: Capacity
    several: Capacity

    @property
    def ratio(self) -> float | None:
        """How many times as many participants several processes hold; None where one holds nobody."""
        return self.several.largest_call / self.one.largest_call if self.one.largest_call else None

    @property
    def steps(self) -> list[tuple[int, CapacityStep]]:
        """Every call that was tried, by processes and by size."""
        both = ((1, self.one), (self.processes, self.several))
        return [(count, step) for count, found in both for step in sorted(found.steps, key=lambda s: s.participants)]

    def memory_of_each_more(self) -> dict[int, float | None]:
        """Return by processes how many megabytes one more participant took, from the smallest call to the largest."""
        return {count: _slope(found) for count, found in ((1, self.one), (self.processes, self.several))}

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        steps = [{"processes": count, **asdict(step), "held": step.held} for count, step in self.steps]
        return {
            "processes": self.processes,
            "one": self.one.largest_call,
            "several": self.several.largest_call,
            "ratio": self.ratio,
            "memory_mb_of_each_more": {str(count): value for count, value in self.memory_of_each_more().items()},
            "steps": steps,
        }


def _slope(found: Capacity) -> float | None:
    """Megabytes from the smallest call to the largest, for each participant between them."""
    steps = sorted((step for step in found.steps if step.memory_mb), key=lambda step: step.participants)
    if len(steps) < 2 or steps[0].participants == steps[-1].participants:
        return None
    return (steps[-1].memory_mb - steps[0].memory_mb) / (steps[-1].participants - steps[0].participants)


async def measure(
    stream: Path,
    setup: BenchSetup,
    processes: int,
    first: int,
    seconds: float = STEP_SECONDS,
    progress: Progress = lambda _part, _done: None,
    max_participants: int = MAX_PARTICIPANTS,
) -> Growth:
    """Find what one process and several hold, beginning with `first` participants; raises `BenchError`."""
    found = []
    for count in (1, processes):
        chosen = replace(setup, processes=count)
        found.append(await capacity.measure(stream, chosen, first, seconds, max_participants, _of(progress, count)))
    return Growth(processes, *found)


def _of(progress: Progress, count: int) -> Progress:
    unit = "process" if count == 1 else "processes"
    return lambda part, done: progress(f"{count} {unit}: {part}", done)
