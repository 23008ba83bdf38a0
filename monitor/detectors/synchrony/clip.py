"""One score of lips and voice for a whole recording, from those of its hops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.decision.calibration import Calibration
from monitor.detectors.base import scored
from monitor.detectors.synchrony.info import INFO
from monitor.detectors.synchrony.judge import judged, standing_of
from monitor.types import Score


def score_clip(scores: Sequence[Score], calibration: Calibration) -> Score:
    """Give the mean of what had accumulated at the hops with the most speech behind them.

    The evidence is that of these hops together: what it says is minus the score, and the curve is their mean.
    """
    hops, reason = scored(scores)
    if not hops:
        return INFO.abstain(reason)
    memories = [hop.evidence["accumulated"] for hop in hops]
    windows = [(-float(memory["agreement"]), float(memory["speech_seconds"])) for memory in memories]
    value, speech, _ = clip_value(windows, calibration.lengths)
    chosen = [hops[n].evidence for n in _with_most_speech(windows, calibration.lengths)]
    score = replace(hops[-1], value=value, p_value=None, evidence=_together(chosen, -value, speech))
    return judged(score, speech, calibration, standing_of(hops[-1].evidence), once=True)


def clip_value(windows: Sequence[tuple[float, float]], lengths: Sequence[float]) -> tuple[float, float, int]:
    """One value for a clip from its hops' (score, usable speech seconds): the mean of those with the most speech.

    Gives that mean, the least speech behind it, and how many hops it is over; hops are told apart by which of the
    calibrated `lengths` they fill.
    """
    chosen = [windows[n] for n in _with_most_speech(windows, lengths)]
    return float(np.mean([value for value, _ in chosen])), min(speech for _, speech in chosen), len(chosen)


def _with_most_speech(windows: Sequence[tuple[float, float]], lengths: Sequence[float]) -> list[int]:
    filled = [sum(length <= speech + 1e-6 for length in lengths) for _, speech in windows]
    return [n for n, count in enumerate(filled) if count == max(filled)]


def _together(hops: Sequence[Mapping[str, Any]], agreement: float, speech: float) -> dict[str, Any]:
    """Join the evidence of hops; their `agreement` is given, so that it is that of the score to the last digit."""
    offsets, memories = hops[0]["offsets_ms"], [hop["accumulated"] for hop in hops]
    curve = [_mean(values) for values in zip(*(hop["agreement"] for hop in hops), strict=True)]
    agreements = [float(memory["agreement"]) for memory in memories]
    return {
        "offsets_ms": offsets,
        "agreement": curve,
        "best_offset_ms": offsets[int(np.argmax([-np.inf if mean is None else mean for mean in curve]))],
        "agreement_max": round(agreement, 4),
        "agreement_range": [min(agreements), max(agreements)],
        "speech_seconds": speech,
        "accumulated": {
            "agreement": round(agreement, 4),
            "best_offset_ms": float(np.median([memory["best_offset_ms"] for memory in memories])),
            "speech_seconds": speech,
            "path_ms": memories[-1]["path_ms"],
            "wander_ms": round(float(np.mean([memory["wander_ms"] for memory in memories])), 1),
        },
        "windows": len(hops),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    usable = [value for value in values if value is not None]
    return round(float(np.mean(usable)), 4) if usable else None
