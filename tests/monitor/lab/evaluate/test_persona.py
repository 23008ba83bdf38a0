"""Recorded clips against the person of their reference column, by models that know made-up people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS, EngineError
from monitor.detectors.persona.entry import load_people
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import Change, ClipFeatures
from monitor.lab.distortions.call_simulation import SimulatedCall
from monitor.lab.evaluate.clip_detector import Job
from monitor.lab.evaluate.persona import PersonaClips, PersonaScorer
from monitor.lab.evaluate.registry import DETECTORS
from tests.monitor import movers
from tests.monitor.lab.studies.persona.crowd import clip

STEPS = np.zeros((1, 1), np.float32)
NOTHING = ClipFeatures(
    STEPS, np.zeros((1, 1, 1), np.uint8), np.ones(1, np.bool_), STEPS, np.ones(1, np.bool_), 100.0, 1
)


@pytest.fixture
def scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PersonaScorer:
    """A scorer that finds clips analysed: `<person>-<seconds>-<seed>` names what they show."""
    engines = movers.engines()

    def watched(row: Row, folder: Path, _change: Change | None, _packs: Path) -> Path:
        person, seconds, seed = (int(n) for n in row.path.stem.split("-"))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{row.path.stem}.npz"
        clip(person, seconds, seed).motion.save(path)
        return path

    monkeypatch.setattr("monitor.lab.evaluate.persona.load_persona", lambda _loader: engines)
    monkeypatch.setattr("monitor.lab.evaluate.persona.load_people", lambda _loader: movers.people(engines))
    monkeypatch.setattr("monitor.lab.evaluate.persona.cached_motion", watched)
    return PersonaClips(MODELS, tmp_path / "cache").load()


def job(folder: Path, shown: str, *reference: str) -> Job:
    for name in (shown, *reference):
        (folder / f"{name}.mp4").write_text(name)
    rows = tuple(folder / f"{name}.mp4" for name in reference)
    return Job(Row(folder / f"{shown}.mp4", shown, "real", "real", "p", reference=rows))


def test_a_person_is_nearer_to_their_own_reference(scorer: PersonaScorer, tmp_path: Path) -> None:
    own, other = (scorer(job(tmp_path, shown, "0-20-1", "0-20-2"), NOTHING) for shown in ("0-12-5", "1-12-5"))
    assert own.score is not None
    assert other.score is not None
    assert own.score < other.score
    assert own.p_value is not None
    assert other.p_value is not None
    assert own.p_value > other.p_value
    kept = list((tmp_path / "cache/persons").glob("*.npz"))
    assert len(kept) == 1
    # Another process finds the person enrolled, and says the same.
    again = PersonaClips(MODELS, tmp_path / "cache").load()
    assert again(job(tmp_path, "1-12-5", "0-20-1", "0-20-2"), NOTHING) == other
    assert list((tmp_path / "cache/persons").glob("*.npz")) == kept


def test_it_abstains_where_nothing_can_be_said(scorer: PersonaScorer, tmp_path: Path) -> None:
    assert scorer(job(tmp_path, "0-12-5"), NOTHING).reason == "not_enrolled"
    for _ in range(2):
        scorer._enrolled.cache_clear()
        assert scorer(job(tmp_path, "0-12-5", "0-3-1"), NOTHING).reason == "not_enrolled"
    assert scorer(job(tmp_path, "0-1-5", "0-20-1"), NOTHING).reason == "too_little_speech"


def test_clips_told_by_another_tracker_are_not_compared(
    scorer: PersonaScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = job(tmp_path, "0-12-5", "0-20-1")
    assert scorer(asked, NOTHING).score is not None
    flame = replace(scorer._engines.basis, name="flame")
    monkeypatch.setattr(scorer._engines, "basis", flame)
    assert scorer(asked, NOTHING).reason == "not_calibrated"
    assert scorer(job(tmp_path, "0-12-5", "0-20-3"), NOTHING).reason == "not_enrolled"


def test_the_detector_has_a_name_and_a_key(tmp_path: Path) -> None:
    detector = DETECTORS["persona"](MODELS)
    assert isinstance(detector, PersonaClips)
    assert detector.name == "persona"
    assert detector.key == PersonaClips().key != DETECTORS["pairwise"](MODELS).key
    assert detector == PersonaClips()
    assert hash(detector) == hash(PersonaClips())
    assert detector.input_spec == DETECTORS["pairwise"](MODELS).input_spec


def test_packs_without_people_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.lab.evaluate.persona.load_people", lambda _loader: None)
    with pytest.raises(EngineError, match="train people"):
        PersonaClips().load()


@pytest.mark.long
@pytest.mark.data
def test_a_changed_clip_is_judged_as_received(data_dir: Path, tmp_path: Path) -> None:
    if load_people() is None:
        pytest.skip("no people beside the persona pack: run `sidewitness train people`")
    clips = [data_dir / f"clips/real/DiffDub__reconstruction__RD_Radio{n}_000_25fps__GT.mp4" for n in (22, 42)]
    scorer = PersonaClips(MODELS, tmp_path).load()
    asked = Job(Row(clips[0], "x", "real", "real", "p", reference=(clips[0],)))
    clear = scorer(asked, NOTHING)
    poor = scorer(replace(asked, change=SimulatedCall(3)), NOTHING)
    assert clear.score is not None
    assert poor.score is not None
    assert poor.score != clear.score
