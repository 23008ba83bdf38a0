"""One score of lips and voice for a recording, and evidence that says what the score is made of."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decision.calibration import Calibration
from monitor.detectors.synchrony.clip import score_clip
from monitor.types import Reason, Score
from tests.monitor.detectors.synchrony.test_live import table

CALIBRATION = Calibration((table(2.0), table(5.0)))


def hop(agreement: float, curve: list[float | None], speech: float = 6.0, **memory: Any) -> Score:
    """A hop whose own window agrees by the best of the curve, and what had accumulated by `agreement`."""
    best = max(value for value in curve if value is not None)
    evidence = {
        "offsets_ms": [-40, 0, 40],
        "agreement": curve,
        "best_offset_ms": 0,
        "agreement_max": best,
        "speech_seconds": 4.0,
        "accumulated": {
            "agreement": agreement,
            "best_offset_ms": 40,
            "speech_seconds": speech,
            "path_ms": [0, 40],
            "wander_ms": 10.0,
            **memory,
        },
    }
    return Score("synchrony", -best, one_sided=True, evidence=evidence)


HOPS = [
    hop(0.9, [0.9, 0.0, 0.0], speech=2.5),
    hop(0.10, [0.1, 0.2, None], path_ms=[0], wander_ms=20.0),
    hop(0.35, [0.0, 0.4, None], speech=7.0, best_offset_ms=0),
    hop(0.15, [None, 0.0, None], speech=5.5, path_ms=[40, 40]),
]


def test_the_evidence_is_that_of_the_hops_behind_the_score() -> None:
    score = score_clip([Score("synchrony", None, Reason.WARMING_UP), *HOPS], CALIBRATION)
    assert score.value == pytest.approx(-0.2)
    evidence = dict(score.evidence)
    assert evidence.pop("accumulated") == {
        "agreement": 0.2,
        "best_offset_ms": 40.0,
        "speech_seconds": 5.5,
        "path_ms": [40, 40],
        "wander_ms": 13.3,
    }
    assert evidence == {
        "offsets_ms": [-40, 0, 40],
        "agreement": [0.05, 0.2, None],
        "best_offset_ms": 0,
        "agreement_max": 0.2,
        "agreement_range": [0.1, 0.35],
        "speech_seconds": 5.5,
        "windows": 3,
        "judged_by": "people",
    }
    assert score.one_sided
    assert score.p_value is not None


@pytest.mark.parametrize("hops", [HOPS, HOPS[:1], HOPS[1:2]])
def test_the_agreement_is_minus_the_score(hops: list[Score]) -> None:
    score = score_clip(hops, CALIBRATION)
    assert score.value is not None
    for shown in (score.evidence["agreement_max"], score.evidence["accumulated"]["agreement"]):
        assert shown == pytest.approx(-score.value, abs=1e-4)
    low, high = score.evidence["agreement_range"]
    assert low <= -score.value <= high


def test_without_a_score_there_is_the_reason_of_the_hops() -> None:
    score = score_clip([Score("synchrony", None, Reason.NO_FACE)] * 2, CALIBRATION)
    assert (score.value, score.reason) == (None, Reason.NO_FACE)
