"""One score of how somebody moved for a whole recording: the mean of what its hops measured."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detectors.persona.detector import PersonaDetector
from monitor.detectors.persona.live import LoadedPersona
from monitor.types import Reason, Score
from tests.monitor.detectors.persona.test_detector import KEY, measured, people, reference


def hops(companion: bool = True) -> list[Score]:
    detector, enrolled = PersonaDetector(people(companion=companion)), reference(companion)
    return [
        detector.score(
            measured(9, 1.0 + n, 0.5 if companion else np.nan, start=5.0 * n), 5.0 * n + 5, 4.0, enrolled, KEY
        )
        for n in range(3)
    ]


def test_a_clip_is_the_mean_of_its_hops_on_all_the_speech() -> None:
    score = LoadedPersona(None, people()).of_clip(hops(), 1.0)
    assert score.value is not None
    assert score.evidence["distance"]["value"] == pytest.approx(2.0)
    assert score.evidence["speech_seconds"] == pytest.approx(12.0)
    moments = [moment["at"] for moment in score.evidence["timeline"]]
    assert moments == sorted(set(moments))
    assert len(moments) > 9
    assert score.p_value is not None


def test_windows_that_overlap_bring_only_their_share_of_speech() -> None:
    score = LoadedPersona(None, people()).of_clip(hops(), 0.1)
    assert score.evidence["speech_seconds"] == pytest.approx(4.8)


def test_without_the_companion_the_distance_counts_alone() -> None:
    score = LoadedPersona(None, people(companion=False)).of_clip(hops(companion=False), 1.0)
    assert score.value is not None
    assert score.evidence["companion"]["value"] is None


@pytest.mark.parametrize("genuine", [people(), None])
def test_without_a_score_there_is_the_reason_of_the_hops(genuine: object) -> None:
    silent = [Score("persona", None, Reason.TOO_LITTLE_SPEECH)] * 2
    score = LoadedPersona(None, genuine).of_clip(silent, 0.1)  # type: ignore[arg-type]
    assert (score.value, score.reason) == (None, Reason.TOO_LITTLE_SPEECH)
