"""Which pictures need landmarks of their own, and which may take theirs from those before and after. Pure.

Between two pictures with landmarks others may wait, for a bounded time: nothing is guessed ahead. Once the next
landmarks are there, the pixels round the mouth say of each that waited whether it lies between the two: what it shows
must be what a mixture of both shows, but for noise. Where it does, so do its landmarks; where it does not, something
moved on a way of its own, and it gets landmarks like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.types import FloatArray

# Grey levels under which a look has no contrast to measure by.
_FLAT = 2.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """How long landmarks may be apart, and how calm a face must be for it.

    `longest_seconds` is the media time between two pictures with landmarks, at most. `strangeness` is how unlike the
    mixture of its neighbours a look may be, in units of its contrast (`strangeness_of`).
    """

    longest_seconds: float
    strangeness: float

    def may_wait(self, since_seconds: float, step_seconds: float) -> bool:
        """Whether a picture may wait that comes so long after the last landmarks, the next one a step later."""
        return step_seconds > 0.0 and since_seconds + step_seconds <= self.longest_seconds

    def may_mix(self, span_seconds: float) -> bool:
        """Whether pictures may lie between landmarks so far apart: the next one may have come late."""
        return 0.0 < span_seconds <= self.longest_seconds + 1e-6

    def is_between(self, look: FloatArray, before: FloatArray, after: FloatArray, weight: float) -> bool:
        """Whether a look lies between those before and after, `weight` (0..1) of the way; all of one shape."""
        return strangeness_of(look, before, after, weight) <= self.strangeness


# Landmarks in every picture: for training, and what everything else is held against.
EVERY = Cadence(0.0, 0.0)
# Two steps of the grid at 25 pictures a second, three pictures at 30; of 15 and fewer all have their own.
CALM = Cadence(0.101, 0.3)
# Where the machine has no time: however the face moves.
LIGHT = Cadence(0.101, np.inf)


def strangeness_of(look: FloatArray, before: FloatArray, after: FloatArray, weight: float) -> float:
    """Measure how unlike a look is to the mixture of two others, in units of the contrast of the first of these."""
    apart = look - before - np.float32(weight) * (after - before)
    contrast = float(before.std()) + _FLAT
    return float(np.sqrt(np.vdot(apart, apart) / apart.size)) / contrast


def mixture(before: FloatArray, after: FloatArray, weight: float) -> FloatArray:
    """Mix two arrays of one shape, `weight` (0..1) of the second."""
    return np.asarray(before + np.float32(weight) * (after - before), np.float32)
