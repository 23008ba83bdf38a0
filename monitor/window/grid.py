"""Resampling of source frames of any rate, also a varying one, to the 25 Hz grid of the track's timeline. Pure.

Grid index k stands for media time k / 25. Shapes are interpolated linearly between the two source frames around k,
pictures are taken from the nearer one; where two source frames are more than `MAX_GAP_SECONDS` apart the grid is
marked unusable and holds the nearer value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.types import ByteArray, FloatArray

GRID_HZ = 25
MAX_GAP_SECONDS = 0.17


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The encoder's input at one moment: a shape vector, a mouth picture, and whether they can be used."""

    shape: FloatArray
    mouth: ByteArray
    usable: bool


@dataclass(frozen=True, slots=True, eq=False)
class GridSample:
    """A sample at grid index `index`."""

    index: int
    sample: Sample


def runs_of(steps: Sequence[GridSample]) -> Iterator[Sequence[GridSample]]:
    """Cut steps of one resampler where they do not follow each other: the grid begins anew after a hole."""
    begin = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or steps[end].index != steps[end - 1].index + 1:
            yield steps[begin:end]
            begin = end


class Resampler:
    """Takes source samples in time order and yields every index of a grid of `rate` Hz once, in order, without holes.

    `max_gap` is the longest gap in seconds that is interpolated. After one longer than `max_hole` seconds the grid
    restarts at the next sample instead of filling it.
    """

    def __init__(self, rate: int = GRID_HZ, max_gap: float = MAX_GAP_SECONDS, max_hole: float = 2.0) -> None:
        self._rate = rate
        self._max_gap = max_gap
        self._max_hole = max_hole
        self._last: tuple[float, Sample] | None = None
        self._next = 0

    def push(self, time: float, sample: Sample) -> Iterator[GridSample]:
        """Yield the grid samples up to `time` (media seconds); a time that does not advance is ignored."""
        if self._last is None or time - self._last[0] > self._max_hole:
            self._next = math.ceil(time * self._rate - 1e-6)
        elif time <= self._last[0]:
            return
        previous = self._last
        self._last = (time, sample)
        while self._next <= time * self._rate + 1e-6:
            yield GridSample(self._next, self._interpolate(self._next / self._rate, previous, (time, sample)))
            self._next += 1

    def _interpolate(self, time: float, before: tuple[float, Sample] | None, after: tuple[float, Sample]) -> Sample:
        if before is None or abs(after[0] - time) < 1e-6:
            return after[1]
        span = after[0] - before[0]
        weight = (time - before[0]) / span
        usable = before[1].usable and after[1].usable and span <= self._max_gap
        if not usable:
            nearer = before[1] if weight < 0.5 else after[1]
            return Sample(nearer.shape, nearer.mouth, False)
        shape = ((1 - weight) * before[1].shape + weight * after[1].shape).astype(np.float32)
        return Sample(shape, before[1].mouth if weight < 0.5 else after[1].mouth, True)
