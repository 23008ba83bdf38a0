"""How fast an engine is: one caller, one batch after another, on seeded inputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engines.base import Engine, FloatArray
from engines.checks.parity import seeded

BATCHES = (1, 2, 4, 8, 16, 32)
SECONDS = 0.5
# Timed calls of a batch size, whatever the time; and calls before them.
MIN_CALLS, MAX_CALLS = 5, 500
WARM_UP_CALLS = 2

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Speed:
    """What one batch size costs a single caller: median and 95th percentile of a call, and rows done in a second.

    `cpu_ms` is the processor time of the whole process for a median call, which a busy machine disturbs less than the
    wall clock; on a GPU it is what is left to the host.
    """

    batch: int
    calls: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float

    @property
    def items_per_second(self) -> float:
        """Rows a second at the median call."""
        return self.batch / self.p50_ms * 1000


def measure(
    engine: Engine,
    batches: Sequence[int] = BATCHES,
    seconds: float = SECONDS,
    length: int | None = None,
    wall: Clock = time.perf_counter,
    cpu: Clock = time.process_time,
) -> Iterator[Speed]:
    """Time `engine` at each batch size for about `seconds`, smallest first as given; yields a row when it is done.

    Free axes get `length`, by default the manifest's `example_length`. Calls are made one at a time from this thread:
    what several callers get together is the batcher's to say. Raises `EngineError`.
    """
    for batch in batches:
        inputs = seeded(engine.manifest, batch, length=length)
        for _ in range(WARM_UP_CALLS):
            engine.run(inputs)
        yield _timed(engine, batch, inputs, seconds, wall, cpu)


def _timed(engine: Engine, batch: int, inputs: dict[str, FloatArray], seconds: float, wall: Clock, cpu: Clock) -> Speed:
    walls: list[float] = []
    cpus: list[float] = []
    end = wall() + seconds
    while len(walls) < MIN_CALLS or (len(walls) < MAX_CALLS and wall() < end):
        at, spent = wall(), cpu()
        engine.run(inputs)
        walls.append(wall() - at)
        cpus.append(cpu() - spent)
    p50, p95 = (float(value) * 1000 for value in np.percentile(walls, (50, 95)))
    return Speed(batch, len(walls), p50, p95, float(np.median(cpus)) * 1000)
