"""Are two clips the same recording? How the face moves and how the voice sounds are compared at every shift. Pure.

A person in the same chair gives nearly the same picture in every recording, so single pictures do not identify one; how
somebody moved and spoke over some seconds is unique, and survives scaling, coding and cutting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.types import FloatArray
from monitor.window.grid import GRID_HZ

# The overlap of two clips at a shift, at least: in seconds, and as a share of the shorter clip.
MIN_OVERLAP_SECONDS = 2.0
MIN_OVERLAP_SHARE = 0.5
# 780 pairs of 3 s sentences of one speaker on one pattern (GRID s1) reach 0.93 in sound and 0.76 in movement. Copies at
# 0.6 of the size and CRF 34 keep 0.93 to 0.99 in sound; who hardly moves keeps 0.3 of the movement, others 0.96.
SAME_SOUND = 0.955
SAME_MOVEMENT = 0.87

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The signals that identify a recording: `movement` of the face (T, M) and `sound` (U, S), both at 25 Hz."""

    movement: FloatArray
    sound: FloatArray


def same_recording(a: Curves, b: Curves) -> bool:
    """Whether one clip is a copy of the other, or of a part of it."""
    return likeness(a.sound, b.sound) >= SAME_SOUND or likeness(a.movement, b.movement) >= SAME_MOVEMENT


def likeness(a: FloatArray, b: FloatArray) -> float:
    """Give the largest correlation of two curves (T, C) at any shift, a mean over columns; 0 where one is too short."""
    values = _by_shift(a, b)
    return 0.0 if values is None else float(values.max())


def _by_shift(a: FloatArray, b: FloatArray) -> Doubles | None:
    """Mean correlation of the columns at each shift with enough overlap; None where no shift has."""
    min_overlap = max(MIN_OVERLAP_SECONDS * GRID_HZ, MIN_OVERLAP_SHARE * min(len(a), len(b)))
    if min(len(a), len(b)) < min_overlap:
        return None
    size = 1 << int(np.ceil(np.log2(len(a) + len(b))))
    shifts = np.arange(1 - len(b), len(a))
    overlap = np.minimum(shifts + len(b), len(a)) - np.maximum(shifts, 0)
    shifts, overlap = shifts[overlap >= min_overlap], overlap[overlap >= min_overlap, None]
    x, y = a - a.mean(0), b - b.mean(0)

    def sums(u: FloatArray, v: FloatArray) -> Doubles:
        spectrum = np.fft.rfft(u, size, axis=0) * np.conj(np.fft.rfft(v, size, axis=0))
        return np.asarray(np.fft.irfft(spectrum, size, axis=0)[shifts], np.float64)

    all_x, all_y = np.ones_like(x), np.ones_like(y)
    sum_x, sum_y = sums(x, all_y), sums(all_x, y)
    spread_x = np.maximum(sums(x * x, all_y) - sum_x**2 / overlap, 0.0)
    spread_y = np.maximum(sums(all_x, y * y) - sum_y**2 / overlap, 0.0)
    # Constant signals correlate with nothing.
    scale = np.sqrt(spread_x * spread_y) + 1e-6 * overlap
    values = (sums(x, y) - sum_x * sum_y / overlap) / scale
    return np.asarray(values.mean(1), np.float64)
