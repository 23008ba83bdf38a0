"""One score of the face for a whole recording, from those of its hops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.base import scored
from monitor.detectors.pairwise.detector import counted_of
from monitor.detectors.pairwise.info import INFO
from monitor.detectors.pairwise.population import COMPONENTS, Population
from monitor.types import Reason, Score


def score_clip(scores: Sequence[Score], population: Population | None) -> Score:
    """Give the median over the hops of each kind of evidence, and what they come to together.

    The parts of the evidence are these medians. What is of one moment (rung, worst pair, what a suspicion is called)
    is of the hop whose score is nearest.
    """
    hops, reason = scored(scores)
    if not hops or population is None:
        return INFO.abstain(reason)
    shown = {name: [hop.evidence[name] for hop in hops if hop.evidence[name] is not None] for name in COMPONENTS}
    parts = np.array([_median([part["value"] for part in shown[name]]) for name in COMPONENTS], np.float64)
    counted = counted_of(parts)
    value, p_value = population.value(parts, counted), population.p_value(parts, counted, once=True)
    middle = min(hops, key=lambda hop: abs((hop.value or 0.0) - value))
    unknown = None if p_value is not None else Reason.NOT_CALIBRATED
    joined = {name: _joined(shown[name], n, parts, population) for n, name in enumerate(COMPONENTS)}
    evidence = {**middle.evidence, **joined, "windows": len(hops)}
    return replace(middle, value=value, reason=unknown, p_value=p_value, evidence=evidence)


def _joined(
    hops: Sequence[dict[str, Any]], number: int, parts: NDArray[np.float64], population: Population
) -> dict[str, Any] | None:
    """Join one kind of evidence of all hops; None where no hop shows it."""
    if not hops:
        return None
    known = np.isfinite(parts[number])
    p_value = population.p_value(parts, [number], once=True) if known else None
    medians = {key: _median([hop[key] for hop in hops]) for key in hops[0] if key != "p_value"}
    rounded = {key: round(value, 4) if np.isfinite(value) else None for key, value in medians.items()}
    return {**rounded, "p_value": None if p_value is None else round(p_value, 4)}


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else float("nan")
