"""Confidence intervals of 95 %: shares (Wilson), rates of events (Garwood), and bootstraps over people. Pure.

Clips of one person are not independent, so a bootstrap draws people (or whatever the independent units are) with
replacement, each with everything that belongs to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The normal deviate that 97.5 % of a standard normal variable lie below.
Z_95_PERCENT = 1.959964
QUANTILES_95_PERCENT = (0.025, 0.975)


def wilson(successes: float, count: int) -> tuple[float, float]:
    """Compute the interval of a share (Wilson 1927); (0, 1) without any observation."""
    if count == 0:
        return 0.0, 1.0
    z, share = Z_95_PERCENT, successes / count
    scale = 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / scale
    half_width = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / scale
    return max(centre - half_width, 0.0), min(centre + half_width, 1.0)


def poisson_interval(count: int, exposure: float, level: float = 0.95) -> tuple[float, float]:
    """Compute the exact interval (Garwood 1936) of a rate from `count` events; infinite where there was no exposure."""
    if exposure <= 0:
        return 0.0, math.inf
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _root(lambda mean: 1 - _poisson_cdf(count - 1, mean) - tail, count)
    return low / exposure, _root(lambda mean: tail - _poisson_cdf(count, mean), count) / exposure


def resample(units: int, rounds: int, seed: int = 0) -> Iterator[Ints]:
    """Draw units with replacement, as many as there are, in each round; nothing where there are none."""
    random = np.random.default_rng(seed)
    for _ in range(rounds if units else 0):
        yield random.integers(0, units, units)


def bootstrap_interval(values: Sequence[float] | Floats) -> tuple[float, float]:
    """Compute the interval of a statistic from its values in the rounds of a bootstrap; NaN without any."""
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, QUANTILES_95_PERCENT)
    return float(low), float(high)


def mean_interval(values: Sequence[float] | Floats, rounds: int, seed: int = 0) -> tuple[float, float]:
    """Compute the interval of the mean of one value a person, people drawn with replacement; NaN for less than two."""
    per_person = np.asarray(values, np.float64)
    if len(per_person) < 2:
        return float("nan"), float("nan")
    drawn = np.array(list(resample(len(per_person), rounds, seed)))
    return bootstrap_interval(per_person[drawn].mean(1))


def _poisson_cdf(count: int, mean: float) -> float:
    """P(X <= count)."""
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
    return min(sum(math.exp(value) for value in logs), 1.0)


def _root(rising: Callable[[float], float], count: int) -> float:
    """Find by bisection the mean at which a rising function of it is 0."""
    low, high = 0.0, 2.0 * count + 20.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
