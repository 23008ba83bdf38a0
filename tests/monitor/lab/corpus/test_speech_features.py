"""A clip as the encoders see it: one grid from its first moment, kept and read back unchanged."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from monitor.face.lip_input import unit
from monitor.lab.corpus.speech_features import ClipFeatures, _assemble, extract
from monitor.tap.media.source import SourceError
from monitor.voice.stream import VoiceChunk
from monitor.window.grid import GridSample, Sample
from tests.monitor.tap.clips import write_clip

CLIP = "clips/real/LivePortrait__d20.mp4"


@pytest.mark.data
def test_a_genuine_clip_has_lips_and_voice_on_one_grid(
    data_dir: Path, tmp_path: Path, detector: Engine, landmarks: Engine
) -> None:
    found = extract(data_dir / CLIP, detector, landmarks)
    steps = len(found)
    assert steps == pytest.approx(7.0 * 25, abs=5)
    assert (found.shape.shape, found.mouth.shape, found.mel.shape) == ((steps, 168), (steps, 36, 36), (steps, 4, 80))
    assert found.face.mean() > 0.9
    assert found.speech.mean() > 0.3
    assert found.faces == 1
    assert 200 < found.size < 300
    assert np.isfinite(found.shape).all()
    found.save(tmp_path / "kept.npz")
    back = ClipFeatures.load(tmp_path / "kept.npz")
    for one, other in zip(astuple(found), astuple(back), strict=True):
        assert np.asarray(one) == pytest.approx(np.asarray(other), rel=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npz"]


def test_a_clip_without_a_face_has_only_a_voice(tmp_path: Path, detector: Engine, landmarks: Engine) -> None:
    found = extract(write_clip(tmp_path / "bars.mp4", seconds=1.0), detector, landmarks)
    assert len(found) == pytest.approx(25, abs=3)
    assert not found.face.any()
    assert (found.size, found.faces) == (0.0, 0)
    assert found.mel.max() > np.log(1e-6)


def test_sound_that_comes_late_stays_late(tmp_path: Path, detector: Engine, landmarks: Engine) -> None:
    found = extract(write_clip(tmp_path / "late.mp4", seconds=1.0, audio_from=0.4), detector, landmarks)
    # The beep of second 1.0 is heard at 1.0, though the track begins at 0.4.
    loud = np.flatnonzero(found.mel.max((1, 2)) > np.log(1e-6) + 5)
    assert loud[0] == pytest.approx(25, abs=1)


def test_what_is_not_a_clip_is_refused(tmp_path: Path, detector: Engine, landmarks: Engine) -> None:
    (tmp_path / "words.mp4").write_text("these are words")
    with pytest.raises(SourceError):
        extract(tmp_path / "words.mp4", detector, landmarks)


def test_what_lies_before_the_clip_begins_is_left_out() -> None:
    lips = [GridSample(n, Sample(np.full(168, n, np.float32), np.zeros((36, 36), np.uint8), True)) for n in (-1, 0, 1)]
    said = np.ones(8, np.bool_)
    chunks = [VoiceChunk(n, np.full((8, 4, 80), n, np.float32), said, said, said, False) for n in (-8, 2)]
    found = _assemble(lips, chunks, 100.0, 1)
    assert found.shape[:4, 0].tolist() == [0, 1, 0, 0]
    assert found.face.tolist() == [True, True] + [False] * 8
    assert found.speech.tolist() == [False, False] + [True] * 8


def test_sound_in_which_nobody_is_heard_is_no_speech() -> None:
    loud, nobody = np.ones(30, np.bool_), np.zeros(30, np.bool_)
    chunk = VoiceChunk(0, np.zeros((30, 4, 80), np.float32), loud, nobody, loud, True)
    found = _assemble([], [chunk], 100.0, 1)
    assert not found.speech.any()
    assert found.sound is not None
    assert found.sound.all()


def test_mouths_go_from_nought_to_one() -> None:
    values = unit(np.array([0, 255], np.uint8))
    assert values.dtype == np.float32
    assert values == pytest.approx([0, 1])
