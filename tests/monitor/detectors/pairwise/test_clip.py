"""One score of the face for a whole recording: medians of each kind of evidence."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detectors.pairwise.detector import PairwiseDetector
from monitor.detectors.pairwise.live import LoadedPairwise
from monitor.types import Reason, Score
from tests.monitor.people import KEY, face, looks, population

PEOPLE = population()
LOADED = LoadedPairwise(None, PEOPLE)


def hops(count: int, odd: float = 0.0, identity: bool = True) -> list[Score]:
    detector, enrolled = PairwiseDetector(PEOPLE), face(identity=identity)
    return [
        detector.score(looks(15, seed=20 + n, odd=odd, identity=identity), None, enrolled, KEY) for n in range(count)
    ]


def test_a_clip_is_the_median_of_its_hops() -> None:
    scores = hops(5)
    score = LOADED.of_clip(scores, 0.1)
    assert score.value is not None
    assert min(s.value or 0 for s in scores) <= score.value <= max(s.value or 0 for s in scores)
    assert score.reason is None
    assert (score.p_value or 0) > 0.05
    assert score.evidence["windows"] == 5


def test_its_evidence_is_what_the_score_is_made_of() -> None:
    scores = hops(4)
    score = LOADED.of_clip(scores, 0.1)
    for name in ("identity", "artefact"):
        for key in set(scores[0].evidence[name]) - {"p_value"}:
            medians = float(np.median([s.evidence[name][key] for s in scores]))
            assert score.evidence[name][key] == pytest.approx(medians, abs=1e-4)
    parts = np.array([score.evidence["identity"]["value"], score.evidence["artefact"]["value"], np.nan])
    assert PEOPLE.value(parts, [0, 1]) == pytest.approx(score.value, abs=1e-3)
    assert score.evidence["identity"]["p_value"] == pytest.approx(PEOPLE.p_value(parts, [0], once=True), abs=1e-3)
    assert score.evidence["within_call"] is None
    assert {"rung", "worst_pair", "shots"} <= set(score.evidence)


def test_a_face_that_was_worked_on_throughout_stays_suspicious() -> None:
    assert (LOADED.of_clip(hops(5, odd=2.0), 0.1).p_value or 1) < 0.05


def test_without_identity_vectors_the_other_evidence_counts() -> None:
    score = LOADED.of_clip(hops(3, identity=False), 0.1)
    assert score.value is not None
    assert np.isfinite(score.value)
    assert score.evidence["identity"]["value"] is score.evidence["identity"]["p_value"] is None


@pytest.mark.parametrize("people", [PEOPLE, None])
def test_without_a_score_there_is_the_reason_of_the_hops(people: object) -> None:
    silent = [Score("pairwise", None, Reason.NO_FACE)] * 2
    score = LoadedPairwise(None, people).of_clip(silent, 0.1)  # type: ignore[arg-type]
    assert (score.value, score.reason) == (None, Reason.NO_FACE)
