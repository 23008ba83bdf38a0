"""One score of a voice for a whole recording, from those of its hops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.detectors.base import scored
from monitor.detectors.voiceprint.info import INFO
from monitor.detectors.voiceprint.people import VoicePeople
from monitor.types import Score


def score_clip(scores: Sequence[Score], people: VoicePeople | None) -> Score:
    """Give the mean over the hops, beside the hop that is nearest to it.

    It is read against genuine scores of one window, from which a mean strays less: the p-value is rather too high.
    """
    hops, reason = scored(scores)
    if not hops or people is None:
        return INFO.abstain(reason)
    value = float(np.mean([hop.value or 0.0 for hop in hops]))
    middle = min(hops, key=lambda hop: abs((hop.value or 0.0) - value))
    evidence = {**middle.evidence, "windows": len(hops)}
    return replace(middle, value=value, p_value=people.p_value(value, once=True), evidence=evidence)
