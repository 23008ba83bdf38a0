"""Are two clips the same recording? How the face moves and how the voice sounds are compared at every shift. Pure.

A person in the same chair gives nearly the same picture in every recording, so single pictures tell nothing; how
somebody moved and spoke over some seconds never comes twice, and survives scaling, coding and cutting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.grid import RATE
from monitor.types import FloatArray

# At least this much, and this share of the shorter clip, must lie over each other.
LEAST_SECONDS = 2.0
LEAST_SHARE = 0.5
# Sentences by one speaker on one pattern reach 0.83 (780 pairs of GRID s1); re-encoded copies do not fall below 0.9.
ALIKE = 0.87

Doubles = NDArray[np.float64]


def likeness(a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray]) -> float:
    """Compare (movement (T, M), sound (T, S)) of two clips at 25 Hz: at most 1, the mean of both at the best shift."""
    moved, heard = (_by_shift(x, y) for x, y in zip(a, b, strict=True))
    if moved is None or heard is None:
        return 0.0
    # One shift for both: a copy moved and spoke at the same time.
    first = max(moved[0], heard[0])
    last = min(moved[0] + len(moved[1]), heard[0] + len(heard[1]))
    if last <= first:
        return 0.0
    both = moved[1][first - moved[0] : last - moved[0]] + heard[1][first - heard[0] : last - heard[0]]
    return float(both.max()) / 2


def _by_shift(a: FloatArray, b: FloatArray) -> tuple[int, Doubles] | None:
    """Mean correlation of the columns at each shift that lays enough over each other: (first shift, values)."""
    least = max(LEAST_SECONDS * RATE, LEAST_SHARE * min(len(a), len(b)))
    if min(len(a), len(b)) < least:
        return None
    size = 1 << int(np.ceil(np.log2(len(a) + len(b))))
    shifts = np.arange(1 - len(b), len(a))
    over = np.minimum(shifts + len(b), len(a)) - np.maximum(shifts, 0)
    shifts, over = shifts[over >= least], over[over >= least, None]
    x, y = a - a.mean(0), b - b.mean(0)

    def sums(u: FloatArray, v: FloatArray) -> Doubles:
        spectrum = np.fft.rfft(u, size, axis=0) * np.conj(np.fft.rfft(v, size, axis=0))
        return np.asarray(np.fft.irfft(spectrum, size, axis=0)[shifts], np.float64)

    all_x, all_y = np.ones_like(x), np.ones_like(y)
    sum_x, sum_y = sums(x, all_y), sums(all_x, y)
    spread_x = np.maximum(sums(x * x, all_y) - sum_x**2 / over, 0.0)
    spread_y = np.maximum(sums(all_x, y * y) - sum_y**2 / over, 0.0)
    # What stands still is like nothing.
    scale = np.sqrt(spread_x * spread_y) + 1e-6 * over
    values = (sums(x, y) - sum_x * sum_y / over) / scale
    return int(shifts[0]), values.mean(1)
