"""Measures of telling two sets of scores apart: areas and error rates. Pure numpy, shared by training and evaluation.

`fake` should score above `real`; training calls them positive and negative.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auc(fake: Floats, real: Floats) -> float:
    """Area under the ROC curve: the chance that a forged clip scores above a genuine one, ties counting half.

    nan when a side is empty.
    """
    if len(fake) == 0 or len(real) == 0:
        return float("nan")
    order = np.sort(real)
    below = np.searchsorted(order, fake, "left") + np.searchsorted(order, fake, "right")
    return float(below.mean() / (2 * len(order)))


def curve(fake: Floats, real: Floats) -> tuple[Floats, Floats]:
    """False-alarm rate (of genuine) and miss rate (of forged) at every threshold, from the strictest to the laxest."""
    levels = np.concatenate([[np.inf], np.unique(np.concatenate([fake, real]))[::-1]])
    alarms = 1 - np.searchsorted(np.sort(real), levels, "left") / len(real)
    misses = np.searchsorted(np.sort(fake), levels, "left") / len(fake)
    return alarms, misses


def eer(fake: Floats, real: Floats) -> float:
    """Equal error rate; nan when a side is empty."""
    if len(fake) == 0 or len(real) == 0:
        return float("nan")
    alarms, misses = curve(fake, real)
    at = int(np.argmin(np.abs(alarms - misses)))
    return float((alarms[at] + misses[at]) / 2)


def tpr_at(fake: Floats, real: Floats, false: float) -> float:
    """Share of forged clips found at a false-alarm rate of at most `false`."""
    alarms, misses = curve(fake, real)
    return float(1 - misses[alarms <= false].min())
