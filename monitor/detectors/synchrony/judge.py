"""By whose agreement a score of lips and voice is judged: the enrolled person's own, else that of people. Pure.

The rule is fixed before the call and looks at no score: who is claimed, and was enrolled with enough whole speech by
these encoders, is judged by their own agreement in every window; everybody else by people in general. Taking the
smaller of two p-values would be no p-value, and the larger would give a forger the more forgiving judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from monitor.decision.calibration import Calibration
from monitor.detectors.parts import PartCache
from monitor.detectors.synchrony.own import OwnAgreement, Standing
from monitor.types import BriefScore, Score

JUDGED_BY, OWN, PEOPLE = "judged_by", "own", "people"


class Judge:
    """Gives p-values to one participant's scores; `encoders` are those that made them, None where that is not known."""

    def __init__(self, calibration: Calibration, encoders: str | None) -> None:
        self._calibration, self._encoders = calibration, encoders
        self._parts = PartCache(OwnAgreement.from_bytes)
        self._own: OwnAgreement | None = None
        self._standing: Standing | None = None

    @property
    def has_brief(self) -> bool:
        """Whether brief windows are calibrated, and so are what is added up."""
        return self._calibration.brief is not None

    def apply(self, score: Score, seconds: float, part: bytes | None) -> Score:
        """Fill in the p-value of a score of so much speech, and by whose agreement it is; see `Calibration.apply`."""
        return judged(score, seconds, self._calibration, self._of(part))

    def _of(self, part: bytes | None) -> Standing | None:
        own = self._parts.read(part)
        if own is not self._own:
            self._own = own
            known = own is not None and own.encoders == self._encoders
            self._standing = own.standing(self._calibration) if own is not None and known else None
        return self._standing


def judged(score: Score, seconds: float, calibration: Calibration, own: Standing | None, once: bool = False) -> Score:
    """Fill in the p-value by a person's own standing, by people in general where there is none."""
    general = calibration.apply(score, seconds, once)
    if general.value is None or general.p_value is None:
        return general
    if own is None:
        return replace(general, evidence={**general.evidence, JUDGED_BY: PEOPLE})
    p_value = own.p_value(general.value, calibration.table(seconds), once)
    shown = {**own.as_json(), "p_value_among_people": round(general.p_value, 4)}
    brief = _own_brief(general.brief, calibration.brief, own)
    return replace(general, p_value=p_value, brief=brief, evidence={**general.evidence, JUDGED_BY: OWN, OWN: shown})


def _own_brief(score: BriefScore | None, calibration: Calibration | None, own: Standing) -> BriefScore | None:
    """Judge brief windows by the same standing: a person's deviation is that of all their speech.

    Where more is fused in their score than agreement, nothing is known of how people differ in the rest: only the
    deviation is taken out, and what is left is compared with all that people differ by.
    """
    if score is None or score.value is None or score.p_value is None or calibration is None:
        return score
    table = calibration.table(score.seconds)
    if score.fused:
        return replace(score, p_value=own.shifted(score.value, table, score.slope))
    return replace(score, p_value=own.p_value(score.value, table))


def standing_of(evidence: Mapping[str, Any]) -> Standing | None:
    """Read from the evidence of a hop by whose standing it was judged, None for people in general."""
    return Standing.from_json(evidence[OWN]) if evidence.get(JUDGED_BY) == OWN else None
