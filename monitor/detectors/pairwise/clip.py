"""One score of the face for a whole recording, from those of its hops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.detectors.base import scored
from monitor.detectors.pairwise.detector import counted_of
from monitor.detectors.pairwise.info import INFO
from monitor.detectors.pairwise.population import COMPONENTS, Population
from monitor.types import Reason, Score


def score_clip(scores: Sequence[Score], population: Population | None) -> Score:
    """Give the median over the hops of each kind of evidence, and what they come to together."""
    hops, reason = scored(scores)
    if not hops or population is None:
        return INFO.abstain(reason)
    kinds = [[(hop.evidence[name] or {}).get("value") for hop in hops] for name in COMPONENTS]
    medians = [float(np.median(values)) if (values := [v for v in kind if v is not None]) else np.nan for kind in kinds]
    parts = np.array(medians, np.float64)
    counted = counted_of(parts)
    value, p_value = population.value(parts, counted), population.p_value(parts, counted, once=True)
    middle = min(hops, key=lambda hop: abs((hop.value or 0.0) - value))
    unknown = None if p_value is not None else Reason.NOT_CALIBRATED
    evidence = {**middle.evidence, "windows": len(hops)}
    return replace(middle, value=value, reason=unknown, p_value=p_value, evidence=evidence)
