from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from monitor.detectors.pairwise.detector import RECENT_LOOKS, PairwiseDetector, nearest_rung, within_call
from monitor.detectors.pairwise.measures import MIN_LOOKS
from monitor.face.outline import OUTLINE
from monitor.face.vectors import FaceVectors
from monitor.types import Reason
from tests.monitor.people import KEY, face, looks, population

PEOPLE = population()
DETECTOR = PairwiseDetector(PEOPLE)
ENROLLED = face()


def test_the_same_person_is_not_suspicious() -> None:
    score = DETECTOR.score(looks(15, seed=4), looks(10, seed=5), ENROLLED, KEY)
    assert score.detector == "pairwise"
    assert score.reason is None
    assert not score.one_sided
    assert score.p_value is not None
    assert score.p_value > 0.05
    assert score.evidence["rung"] == "as recorded"


def test_another_person_is_a_mismatch() -> None:
    score = DETECTOR.score(looks(15, person=8, seed=4), None, ENROLLED, KEY)
    assert score.cause is Reason.IDENTITY_MISMATCH
    assert score.p_value == pytest.approx(1 / (PEOPLE.people + 1))
    assert score.evidence["identity"]["p_value"] == pytest.approx(score.p_value, abs=1e-4)
    assert score.evidence["within_call"] is None


def test_a_face_that_was_worked_on_is_an_anomaly() -> None:
    score = DETECTOR.score(looks(15, seed=4, odd=2.0), None, ENROLLED, KEY)
    assert score.cause is Reason.FACE_CHANGES_UNNATURALLY
    assert score.p_value is not None
    assert score.p_value < 0.05
    assert score.evidence["artefact"]["p_value"] < 0.05 < score.evidence["identity"]["p_value"]


def test_change_since_the_start_counts_where_a_reference_is() -> None:
    live, start = looks(15, seed=4, odd=1.5), looks(10, seed=5)
    without = DETECTOR.score(live, start, None, KEY)
    assert without.value is None
    assert without.p_value is None
    assert without.reason is Reason.NOT_ENROLLED
    assert without.evidence["within_call"]["p_value"] < 0.05
    assert set(without.evidence) == {"shots", "within_call"}
    shown = DETECTOR.score(live, start, ENROLLED, KEY)
    assert shown.evidence["within_call"] == without.evidence["within_call"]
    assert shown.value == DETECTOR.score(live, None, ENROLLED, KEY).value
    counted = PairwiseDetector(PEOPLE, count_change=True).score(live, start, ENROLLED, KEY)
    assert counted.value is not None
    assert shown.value is not None
    assert counted.value > shown.value


@pytest.mark.parametrize(
    ("detector", "count", "key", "reason"),
    [
        (PairwiseDetector(None), 15, KEY, Reason.NOT_CALIBRATED),
        (PairwiseDetector(replace(PEOPLE, key="older")), 15, KEY, Reason.NOT_CALIBRATED),
        (DETECTOR, MIN_LOOKS - 1, KEY, Reason.WARMING_UP),
        (PairwiseDetector(population(key="newer")), 15, "newer", Reason.REFERENCE_OUTDATED),
    ],
)
def test_abstains_with_a_reason(detector: PairwiseDetector, count: int, key: str, reason: Reason) -> None:
    score = detector.score(looks(count), None, ENROLLED, key)
    assert score.value is None
    assert score.p_value is None
    assert score.reason is reason


def test_pictures_worse_than_every_rung_are_not_compared() -> None:
    score = DETECTOR.score(looks(15, blur=9.0), None, ENROLLED, KEY)
    assert score.reason is Reason.LOW_QUALITY
    assert score.value is None


def test_the_rung_that_looks_like_the_call_is_taken() -> None:
    assert nearest_rung(looks(15, seed=4), ENROLLED, PEOPLE)[0] == 0
    assert nearest_rung(looks(15, seed=4, blur=-1.9), ENROLLED, PEOPLE)[0] == 1
    assert DETECTOR.score(looks(15, seed=4, blur=-1.9), None, ENROLLED, KEY).evidence["rung"] == "poor line"


def test_a_line_that_changed_says_nothing_about_change() -> None:
    assert within_call(looks(10, blur=5.0), looks(10, seed=2), PEOPLE) is None
    assert within_call(looks(10), looks(MIN_LOOKS - 1), PEOPLE) is None
    assert within_call(looks(10), None, PEOPLE) is None


def test_without_an_identity_encoder_artefacts_are_judged_alone() -> None:
    enrolled = face(identity=False)
    score = DETECTOR.score(looks(15, seed=4, identity=False), looks(10, seed=5, identity=False), enrolled, KEY)
    assert score.p_value is not None
    assert score.evidence["identity"] == {"value": None, "p_value": None, "distance": None}
    assert score.evidence["worst_pair"]["distance"] is None


def test_too_few_people_give_a_score_without_a_p_value() -> None:
    score = PairwiseDetector(population(3)).score(looks(15), None, ENROLLED, KEY)
    assert score.value is not None
    assert score.p_value is None
    assert score.reason is Reason.NOT_CALIBRATED
    assert score.evidence["artefact"]["p_value"] is None


def test_only_the_newest_looks_count() -> None:
    old, new = looks(30, person=9, seed=1), looks(RECENT_LOOKS, seed=2)
    both = DETECTOR.score(FaceVectors.join([old, new]), None, ENROLLED, KEY)
    assert both.value == DETECTOR.score(new, None, ENROLLED, KEY).value
    assert both.evidence["shots"] == RECENT_LOOKS


def test_evidence_is_json_and_shows_outlines_only() -> None:
    evidence = DETECTOR.score(looks(15), looks(10, seed=1), ENROLLED, KEY).evidence
    told = json.loads(json.dumps(evidence))
    pair = told["worst_pair"]
    assert len(pair["live"]) == len(pair["reference"]) == len(OUTLINE)
    assert all(0 <= n <= 1 for point in pair["live"] for n in point)
    assert pair["age_seconds"] >= 0
    longest = max(len(v) for v in told.values() if isinstance(v, list | dict))
    assert longest < 10


def test_scores_do_not_depend_on_the_length_of_vectors_in_time() -> None:
    live = looks(15, seed=4)
    later = replace(live, time=live.time + 1000)
    assert DETECTOR.score(live, None, ENROLLED, KEY).value == DETECTOR.score(later, None, ENROLLED, KEY).value
    assert np.isfinite(DETECTOR.score(later, None, ENROLLED, KEY).value or np.nan)
