"""One score of how somebody moved for a whole recording, from those of its hops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.detectors.base import scored
from monitor.detectors.persona.detector import MEASURES, PersonaDetector, PersonaPeople
from monitor.detectors.persona.info import INFO
from monitor.types import Score


def score_clip(scores: Sequence[Score], people: PersonaPeople | None, hop_share: float) -> Score:
    """Give the mean of all moments that were measured, on all the speech behind them.

    `hop_share` is the share of a window that each hop brings anew.
    """
    hops, reason = scored(scores)
    if not hops or people is None:
        return INFO.abstain(reason)
    spoken = [float(hop.evidence["speech_seconds"]) for hop in hops]
    speech = max(max(spoken), spoken[0] + hop_share * sum(spoken[1:]))
    moments = {moment["at"]: moment for hop in hops for moment in hop.evidence["timeline"]}
    kinds = [[hop.evidence[name]["value"] for hop in hops] for name in MEASURES]
    parts = np.array([np.mean(values) if (values := [v for v in kind if v is not None]) else np.nan for kind in kinds])
    return PersonaDetector(people).word(parts, parts, list(moments.values()), speech, once=True)
