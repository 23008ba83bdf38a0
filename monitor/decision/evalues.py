"""From p-values to e-values, and from several detectors to one e-value.

An e-value is a non-negative number whose mean is at most 1 while the participant is genuine: evidence that can be
multiplied over time and averaged over detectors. The invariant here: every function maps valid p-values to a valid
e-value whatever the dependence between the detectors (Vovk and Wang, "E-values: calibration, combination and
applications", Annals of Statistics 2021, sections 2, 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def power(p: float, kappa: float) -> float:
    """Calibrate p in (0, 1] with kappa * p**(kappa - 1), 0 < kappa < 1; a small kappa bets on very small p-values."""
    _check(p)
    if not 0.0 < kappa < 1.0:
        raise ValueError(f"kappa must lie in (0, 1), not {kappa}")
    return float(kappa * p ** (kappa - 1.0))


def powers(p: NDArray[np.float64], kappa: float) -> NDArray[np.float64]:
    """Calibrate many p-values at once, any shape; as `power`, without its checks."""
    return np.asarray(kappa * p ** (kappa - 1.0), np.float64)


# Bets on p-values up to each of these, and the share of the stake that each has. They follow how p-values of brief
# windows lie under other people's voices: half of them at the least that there is.
BRIEF_STEPS = (0.006, 0.016, 0.04, 0.1, 0.3, 1.0)
BRIEF_STAKES = (0.3, 0.2, 0.15, 0.1, 0.1, 0.15)
BRIEF_KAPPA = 0.3


def shaped(p: float) -> float:
    """Calibrate p in (0, 1] for brief windows: half by steps, half by the power that bets on small p-values."""
    _check(p)
    return float(shaped_many(np.asarray(p, np.float64)))


def shaped_many(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Calibrate many p-values at once, any shape; as `shaped`, without its checks."""
    return 0.5 * stepped(p, BRIEF_STEPS, BRIEF_STAKES) + 0.5 * powers(p, BRIEF_KAPPA)


# Bets on what is compared with a reference. The first step reaches the least p-value that tables of sixty people and
# more can give, where other people's faces and voices lie nearly always.
CLAIMED_STEPS = (0.0175, 0.05, 0.15, 0.4, 1.0)
CLAIMED_STAKES = (0.4, 0.2, 0.15, 0.1, 0.15)
CLAIMED_KAPPA, CLAIMED_POWER = 0.3, 0.25
# Of a voice, whose table has a hundred people: strangers are at its least p-value, and hardly any above it.
VOICE_STEPS = (0.01, 0.03, 0.1, 0.4, 1.0)
VOICE_STAKES = (0.45, 0.15, 0.1, 0.1, 0.2)


def claimed(p: float, steps: Sequence[float] = CLAIMED_STEPS, stakes: Sequence[float] = CLAIMED_STAKES) -> float:
    """Calibrate p in (0, 1] of a comparison with a reference: a quarter by a power, the rest by steps.

    Raises `ValueError` for stakes that are more than 1 together.
    """
    _check(p)
    of_steps = stepped(np.asarray(p, np.float64), steps, stakes)
    return float((1.0 - CLAIMED_POWER) * of_steps + CLAIMED_POWER * power(p, CLAIMED_KAPPA))


def stepped(p: NDArray[np.float64], steps: Sequence[float], stakes: Sequence[float]) -> NDArray[np.float64]:
    """Calibrate p-values by a mixture of steps: each stake is paid out 1 / step times where p is at most the step.

    Every decreasing calibrator is such a mixture. Raises `ValueError` when the stakes are more than 1 together.
    """
    if min(stakes) < 0.0 or sum(stakes) > 1.0 + 1e-9:
        raise ValueError(f"stakes must be at least 0 and 1 together at most, not {sum(stakes):g}")
    paid = [np.where(p <= step, stake / step, 0.0) for step, stake in zip(steps, stakes, strict=True)]
    return np.asarray(np.sum(paid, axis=0), np.float64)


def mixture(p: float) -> float:
    """Calibrate p in (0, 1] with the power calibrators integrated over kappa: (1 - p + p ln p) / (p (ln p)^2)."""
    _check(p)
    log = math.log(p)
    if log > -1e-3:
        # The closed form cancels near p = 1; its series there is 1/2 - ln(p)/6.
        return 0.5 - log / 6.0
    return (1.0 - p + p * log) / (p * log * log)


def combine(values: Sequence[float | None]) -> float | None:
    """Average the e-values of several detectors; valid under any dependence between them.

    None stands for a detector that abstained on this window. It keeps its weight with e = 1, the neutral bet, so that
    a detector which falls silent exactly when it would have been reassuring cannot inflate the others. That is its
    only use: when every detector abstains the result is None (nothing was judged), not 1.
    """
    if all(value is None for value in values):
        return None
    return sum(1.0 if value is None else value for value in values) / len(values)


def _check(p: float) -> None:
    if not 0.0 < p <= 1.0:
        raise ValueError(f"a p-value lies in (0, 1], not {p}")
