"""One score of lips and voice for a whole recording, from those of its hops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.decision.calibration import Calibration
from monitor.detectors.base import scored
from monitor.detectors.synchrony.info import INFO
from monitor.types import Score


def score_clip(scores: Sequence[Score], calibration: Calibration) -> Score:
    """Give the mean of what had accumulated at the hops with the most speech behind them."""
    hops, reason = scored(scores)
    if not hops:
        return INFO.abstain(reason)
    memories = [hop.evidence["accumulated"] for hop in hops]
    values = [(-float(memory["agreement"]), float(memory["speech_seconds"])) for memory in memories]
    value, speech, count = clip_value(values, calibration.lengths)
    middle, _ = min(zip(hops, values, strict=True), key=lambda pair: abs(pair[1][0] - value))
    score = replace(middle, value=value, p_value=None, evidence={**middle.evidence, "windows": count})
    return calibration.apply(score, speech, once=True)


def clip_value(windows: Sequence[tuple[float, float]], lengths: Sequence[float]) -> tuple[float, float, int]:
    """One value for a clip from its hops' (score, usable speech seconds): the mean of those with the most speech.

    Gives that mean, the least speech behind it, and how many hops it is over; hops are told apart by which of the
    calibrated `lengths` they fill.
    """
    filled = [sum(length <= speech + 1e-6 for length in lengths) for _, speech in windows]
    chosen = [window for window, n in zip(windows, filled, strict=True) if n == max(filled)]
    return float(np.mean([value for value, _ in chosen])), min(speech for _, speech in chosen), len(chosen)
