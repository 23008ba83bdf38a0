from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS, EngineError
from monitor.detectors.pairwise.entry import load_population
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import Change, ClipFeatures
from monitor.lab.evaluate.clip_detector import Job
from monitor.lab.evaluate.faces import DiffFakeClips, PairwiseClips
from monitor.lab.evaluate.registry import DETECTORS

GENUINE = "clips/real/video-retalking__5.mp4"
OTHER = "clips/real/video-retalking__3.mp4"


@pytest.fixture(scope="module")
def population() -> None:
    """Skip where the shipped backbone has no population yet."""
    if load_population() is None:
        pytest.skip("no population beside face_artefacts: run `sidewitness train pairs`")


def job(data: Path, clip: str, *reference: str, change: Change | None = None) -> Job:
    return Job(Row(data / clip, clip, "real", "real", "p", reference=tuple(data / name for name in reference)), change)


@pytest.fixture(scope="module")
def nothing() -> ClipFeatures:
    """Features that a detector of faces does not look at."""
    steps = np.zeros((1, 1), np.float32)
    flags = np.ones(1, np.bool_)
    return ClipFeatures(steps, np.zeros((1, 1, 1), np.uint8), flags, steps, flags, 100.0, 1)


def test_the_detectors_have_names_and_keys() -> None:
    for name, kind in (("difffake", DiffFakeClips), ("pairwise", PairwiseClips)):
        detector = DETECTORS[name](MODELS)
        assert isinstance(detector, kind)
        assert detector.name == name
        assert detector == kind(MODELS)
        assert hash(detector) == hash(kind(MODELS))
    assert DETECTORS["difffake"](MODELS).input_spec == DETECTORS["pairwise"](MODELS).input_spec


@pytest.mark.usefixtures("population")
def test_keys_tell_detectors_apart() -> None:
    assert DiffFakeClips().key != PairwiseClips().key
    assert DiffFakeClips().key == DiffFakeClips().key


def test_packs_without_a_population_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.lab.evaluate.faces.load_population", lambda _: None)
    with pytest.raises(EngineError, match="train pairs"):
        PairwiseClips().load()


@pytest.mark.data
@pytest.mark.usefixtures("population")
def test_another_person_scores_above_the_one_enrolled(data_dir: Path, nothing: ClipFeatures) -> None:
    scorer = PairwiseClips().load()
    own = scorer(job(data_dir, GENUINE, GENUINE), nothing)
    other = scorer(job(data_dir, OTHER, GENUINE), nothing)
    assert own.score is not None
    assert other.score is not None
    assert other.score > own.score + 1
    assert own.p_value is not None
    assert other.p_value is not None
    assert other.p_value < 0.1 < own.p_value


@pytest.mark.data
@pytest.mark.usefixtures("population")
def test_who_is_not_enrolled_is_not_judged(data_dir: Path, nothing: ClipFeatures) -> None:
    outcome = PairwiseClips().load()(job(data_dir, GENUINE), nothing)
    assert (outcome.score, outcome.reason) == (None, "not_enrolled")


@pytest.mark.data
@pytest.mark.usefixtures("population")
def test_difffake_asks_for_no_reference(data_dir: Path, nothing: ClipFeatures) -> None:
    outcome = DiffFakeClips().load()(job(data_dir, GENUINE), nothing)
    assert outcome.score is not None
    assert outcome.p_value is None
