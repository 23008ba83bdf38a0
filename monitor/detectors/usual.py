"""Where genuine people in general end: what measures of different kinds are brought to one size by. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

USUAL_QUANTILE = 0.9
# In deviations: people who are alike by accident must not make a small difference a large one.
MIN_USUAL = 0.5

Doubles = NDArray[np.float64]


def usual_sizes(scores: Doubles, person: NDArray[np.int64]) -> Doubles:
    """Give the usual size (M,) of measures from genuine scores (W, M), NaN where one is missing, of `person` (W,).

    It is the quantile over people of each person's own quantile, so that everybody weighs the same; 1 for a measure
    that nobody has.
    """
    ends = [[_upper(scores[person == p, n]) for p in np.unique(person)] for n in range(scores.shape[1])]
    usual = [_upper(np.array(of_people)) for of_people in ends]
    return np.array([max(size, MIN_USUAL) if np.isfinite(size) else 1.0 for size in usual])


def _upper(values: Doubles) -> float:
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, USUAL_QUANTILE)) if len(finite) else float("nan")
