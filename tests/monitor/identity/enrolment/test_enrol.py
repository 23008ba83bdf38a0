"""Enrolling from real clips: what becomes of them, and every reason why nothing does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import EngineError
from monitor.detectors.pairwise.reference import PairwiseReference
from monitor.detectors.reference import Reference
from monitor.detectors.synchrony.live import LoadedSynchrony
from monitor.identity.enrolment.condition_ladder import RUNGS
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.enrol import Enrolment, EnrolmentRefused, enrol
from monitor.session.models import Models
from monitor.tap.media.source import SourceError
from tests.e2e.media import marry
from tests.monitor import people
from tests.monitor.identity import clips
from tests.monitor.loaded import pairwise, with_detector, with_population
from tests.monitor.tap.clips import write_clip

LOW = EnrolConfig(min_face_seconds=8.0, min_speech_seconds=4.0, gallery=24)
# As much as a clip or two hold.
LEAST = replace(LOW, min_face_seconds=2.0, min_speech_seconds=1.0)
pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def judging(models: Models) -> Models:
    """Models that learn nothing of how a person's lips and voice agree, of which no refusal tells."""
    return with_detector(models, replace(models.of(LoadedSynchrony), familiar=None))


def reasons(paths: list[Path], models: Models, config: EnrolConfig = LEAST) -> list[str]:
    """Why these clips are refused."""
    with pytest.raises(EnrolmentRefused) as refused:
        enrol(paths, models, config)
    for line in refused.value.reasons:
        assert ": " in line
        assert "\n" not in line
    return list(refused.value.reasons)


@pytest.fixture(scope="module")
def made(models: Models, speaker: list[Path]) -> tuple[Enrolment, list[tuple[str, float]]]:
    told: list[tuple[str, float]] = []
    return enrol(speaker[:4], models, LOW, lambda what, share: told.append((what, share))), told


def test_four_clips_become_a_reference(made: tuple[Enrolment, list[tuple[str, float]]], models: Models) -> None:
    reference = made[0].reference
    encoders = pairwise(models).encoders
    assert encoders is not None
    face = PairwiseReference.from_bytes(reference.parts["pairwise"])
    assert (face.key, face.made) == (encoders.key, reference.made)
    assert not models.is_outdated(reference)
    assert [rung.name for rung in face.rungs] == [step.name for step in RUNGS]
    assert len(face.clip) == 24
    assert np.bincount(face.clip).tolist() == [6, 6, 6, 6]
    assert [source.shots for source in reference.sources] == [6, 6, 6, 6]
    assert all(len(source.sha256) == 32 and source.width == 360 for source in reference.sources)
    for rung in face.rungs:
        assert rung.vectors.time.tolist() == face.rungs[0].vectors.time.tolist()
    sizes = [float(np.median(rung.vectors.condition[:, 0])) for rung in face.rungs]
    assert sizes[4] == min(sizes)
    again = Reference.from_bytes(reference.to_bytes())
    assert dict(again.parts) == dict(reference.parts)


def test_its_quality_is_told(made: tuple[Enrolment, list[tuple[str, float]]]) -> None:
    quality = made[0].quality
    assert quality.face_seconds == pytest.approx(12.0, abs=0.5)
    assert 6 < quality.speech_seconds < 12
    assert (quality.clips, quality.shots, quality.gallery) == (4, 24, 24)
    assert 100 < quality.face_px < 180
    assert quality.parts["one_person_checked"] is True
    assert any("turn the head" in line for line in quality.advice)
    told = quality.as_json()
    assert set(told) >= {"face_seconds", "yaw", "pitch", "rungs", "advice"}
    assert len(made[0].poses) == 24
    assert made[0].poses[0].shape == (468, 2)
    assert 0 < made[0].poses[0].min() < made[0].poses[0].max() < 1


def test_progress_rises_to_the_end(made: tuple[Enrolment, list[tuple[str, float]]]) -> None:
    shares = [share for _, share in made[1]]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert {"reading clip 1 of 4", "reading clip 4 of 4", "comparing the clips"} <= {what for what, _ in made[1]}


def test_too_short(judging: Models, speaker: list[Path]) -> None:
    face, speech = reasons(speaker[:1], judging, EnrolConfig())
    assert face == "3 s of a clear face are too short, 60 s are needed: add recordings"
    assert "of speech are too short, 30 s are needed" in speech


def test_another_person_in_one_of_the_clips(judging: Models, speaker: list[Path], stranger: Path) -> None:
    found = reasons([*speaker[:2], stranger], judging)
    assert found == [f"{stranger.name} shows another person than the other clips: leave it out"]


def test_another_person_within_a_clip(judging: Models, speaker: list[Path], stranger: Path, tmp_path: Path) -> None:
    cut = clips.after(speaker[0], stranger, tmp_path / "cut.mp4")
    assert "another person appears in cut.mp4: cut that part out, or leave the clip out" in reasons([cut], judging)


def test_several_faces(judging: Models, speaker: list[Path], stranger: Path, tmp_path: Path) -> None:
    both = clips.beside(speaker[0], stranger, tmp_path / "both.mp4")
    found = reasons([both, speaker[1]], judging)
    assert found == ["several people are in the picture of both.mp4: give recordings of one person alone"]


def test_a_suspicious_clip(models: Models, data_dir: Path, tmp_path: Path) -> None:
    real = data_dir / "clips/real"
    whole, dubbed = tmp_path / "whole.mp4", tmp_path / "dubbed.mp4"
    marry(real / "MimicTalk__Trump_10s.mp4", real / "Linly-Talker__WDA_AlexandriaOcasioCortez_000.mp4", 10, whole)
    clips.begun(whole, dubbed, 6)
    (found,) = reasons([dubbed], models)
    assert found.startswith("dubbed.mp4 is itself suspicious (lips and voice do not fit):")


def test_the_same_file_twice(judging: Models, speaker: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(speaker[0].read_bytes())
    found = reasons([speaker[0], copy], judging)
    assert found == [f"copy.mp4 is the same file as {speaker[0].name}: leave one of them out"]


def test_the_same_recording_coded_again(judging: Models, speaker: list[Path], tmp_path: Path) -> None:
    small = clips.scaled(speaker[0], tmp_path / "small.mp4", 0.8, crf=32, skip=10)
    found = reasons([speaker[0], small], judging)
    assert found == [f"small.mp4 is the same recording as {speaker[0].name}: leave one of them out"]


def test_a_face_too_small(judging: Models, speaker: list[Path], tmp_path: Path) -> None:
    far = clips.scaled(speaker[0], tmp_path / "far.mp4", 0.4)
    assert "the face in far.mp4 is too small: record closer, it must be at least 80 pixels high" in reasons(
        [far], judging
    )


def test_a_picture_too_blurred(judging: Models, speaker: list[Path], tmp_path: Path) -> None:
    soft = clips.blurred(speaker[0], tmp_path / "soft.mp4", 0.12)
    assert any(line.startswith("the picture of soft.mp4 is too blurred") for line in reasons([soft], judging))


def test_no_face(judging: Models, tmp_path: Path) -> None:
    bars = write_clip(tmp_path / "bars.mp4")
    assert reasons([bars], judging)[0] == (
        "no face was found in bars.mp4: give a recording of the person facing the camera"
    )


def test_too_many_clips_and_none(judging: Models, speaker: list[Path]) -> None:
    assert reasons([], judging)[0].startswith("0 clips were given")
    assert reasons(speaker[:1] * 41, judging)[0].startswith("41 clips were given: give 1 to 40")


def test_what_cannot_be_read_is_told_before_the_long_work(judging: Models, speaker: list[Path], tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(SourceError, match="is not a file"):
        enrol([speaker[0], tmp_path / "gone.mp4"], judging, LOW, lambda what, _: told.append(what))
    assert told == []


def test_a_clip_that_cannot_be_read_is_left_out(judging: Models, speaker: list[Path], tmp_path: Path) -> None:
    words, hollow = tmp_path / "words.mp4", tmp_path / "hollow.mp4"
    write_clip(hollow, seconds=1.0, video="libx264", audio=None)
    words.write_text("these are words")
    data = hollow.read_bytes()
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    hollow.write_bytes(data[:start] + bytes(size) + data[start + size :])
    made = enrol([words, speaker[0], hollow], judging, LEAST)
    assert [source.name for source in made.reference.sources] == [speaker[0].name]
    assert [line.split()[0] for line in made.quality.advice if "left out" in line] == ["words.mp4", "hollow.mp4"]
    with pytest.raises(SourceError, match=r"words\.mp4 is not a video"):
        enrol([words, hollow], judging, LEAST)


def test_missing_packs_are_told(faceless: Models, unidentified: Models, speaker: list[Path]) -> None:
    with pytest.raises(EngineError, match="face_artefacts"):
        enrol(speaker, faceless, LOW)
    with pytest.raises(EngineError, match="genuine people to compare with"):
        enrol(speaker, with_population(unidentified, None), LOW)
    with pytest.raises(EngineError, match="by other packs"):
        enrol(speaker, with_population(unidentified, people.population(key="others")), LOW)
    with pytest.raises(EngineError, match="engines import dlib-face"):
        enrol(speaker, unidentified, LOW)


def test_without_the_identity_encoder_nobody_checked(unidentified: Models, speaker: list[Path]) -> None:
    found = enrol(speaker[:1], unidentified, replace(LEAST, require_identity=False))
    assert found.quality.parts["one_person_checked"] is False
    assert any("nobody checked" in line for line in found.quality.advice)
    assert PairwiseReference.from_bytes(found.reference.parts["pairwise"]).rungs[0].vectors.identity.shape[1] == 0
