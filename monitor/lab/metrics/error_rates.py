"""Error rates of ISO/IEC 30107-3 at an operating point. Pure.

The convention everywhere: a clip is called an attack when its score is AT OR ABOVE the threshold. APCER is the share
of attacks below it (missed), BPCER the share of bona fide clips at or above it (false alarms). An operating point is
set on one rate and the other is read off: at BPCER x, the lowest threshold whose BPCER is at most x; at APCER x, the
highest threshold whose APCER is at most x. Thresholds lie at observed scores or above them all, so a rate is never
interpolated and with few clips comes out worse rather than better. Clips on which the detector abstains are no errors:
they are the non-response rates APNRR and BPNRR.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.metrics import curve

Floats = NDArray[np.float64]


def apcer_at_bpcer(attacks: Floats, bona_fide: Floats, bpcer: float) -> float:
    """Share of attacks missed where at most `bpcer` of the bona fide clips are flagged; nan when a side is empty."""
    if len(attacks) == 0 or len(bona_fide) == 0:
        return float("nan")
    alarms, misses = curve(attacks, bona_fide)
    return float(misses[alarms <= bpcer + 1e-12].min())


def bpcer_at_apcer(attacks: Floats, bona_fide: Floats, apcer: float) -> float:
    """Share of bona fide clips flagged where at most `apcer` of the attacks are missed; nan when a side is empty."""
    if len(attacks) == 0 or len(bona_fide) == 0:
        return float("nan")
    alarms, misses = curve(attacks, bona_fide)
    return float(alarms[misses <= apcer + 1e-12].min())
