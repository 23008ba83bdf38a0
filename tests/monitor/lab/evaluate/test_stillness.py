"""What the gate costs and leaves is counted right, on mouths that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.face.geometry import SPEECH_LANDMARKS
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.evaluate.stillness import GENUINE, STILLS, HalfRate, Watched, in_first_half, measure, summary, watched
from monitor.types import VideoFrame
from tests.monitor.frames import block, frame


def row(subject: str) -> Row:
    return Row(Path(f"{subject}.mp4"), subject, "real", "real", subject)


def clip(subject: str, still: slice, seconds: int = 8) -> Watched:
    """Somebody who speaks all the time, with a mouth that stands still for a part of it."""
    length = 25 * seconds
    random = np.random.default_rng(0)
    shapes, mouths = np.zeros((length, len(SPEECH_LANDMARKS), 3), np.float32), np.zeros((length, 36, 36), np.uint8)
    openings = random.uniform(0, 0.2, length)
    openings[still] = 0.1
    mouths[:] = random.integers(0, 255, (36, 36))
    mouths[:, 12:24, 12:24] = (1000 * openings).astype(np.uint8)[:, None, None]
    shapes[:, SPEECH_LANDMARKS.index(14), 1] = openings
    yes = np.ones(length, np.bool_)
    mel = np.zeros((length, 4, 80), np.float32)
    return watched(row(subject), ClipFeatures(shapes.reshape(length, -1), mouths, yes, mel, yes, 200.0, 1))


def test_what_is_set_aside_is_counted() -> None:
    lively, half, picture = clip("a", slice(0)), clip("b", slice(90, None)), clip("c", slice(None))
    assert lively.speech_seconds == 8
    assert lively.aside_seconds == 0
    assert picture.aside_seconds == pytest.approx(8, abs=0.2)
    assert half.aside_seconds == pytest.approx(4.4, abs=0.3)
    assert summary([lively, half, picture, picture]) == {
        "clips": 4,
        "people": 3,
        "speech_seconds": 32.0,
        "aside": pytest.approx(20.4 / 32, abs=0.02),
        "mostly_aside": 3,
    }
    assert summary([])["aside"] is None


def test_halves_of_the_people_differ_and_a_person_is_in_one() -> None:
    halves = {name: in_first_half(row(name)) for name in map(str, range(50))}
    assert set(halves.values()) == {True, False}
    assert in_first_half(row("7")) == halves["7"]


def test_half_of_the_pictures() -> None:
    pictures = [frame(np.zeros((4, 4), np.uint8), n / 25) for n in range(6)]
    sound = block(np.zeros(160, np.float32), 0.0)
    assert list(HalfRate()([pictures[0], sound, *pictures[1:]])) == [pictures[0], sound, pictures[2], pictures[4]]


def test_a_room_at_night_is_dark_and_noisy() -> None:
    change = GENUINE["dim"]
    assert change is not None
    plane = np.full((64, 64), 216, np.uint8)
    back = [item for item in change(frame(plane, n / 25) for n in range(5)) if isinstance(item, VideoFrame)]
    assert np.mean([item.y for item in back]) == pytest.approx(76, abs=3)
    assert np.std(back[0].y) > 0.5


@pytest.mark.data
def test_a_still_of_a_speaker_is_set_aside_and_the_speaker_is_not(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "clips/real/video-retalking__5.mp4"
    rows = [Row(path, path.name, "real", "real", "ann")]
    (speaker,) = measure(rows, None, tmp_path, "genuine")
    (still,) = measure(rows, STILLS["hand"], tmp_path, "still")
    assert summary([speaker])["aside"] < 0.1
    assert summary([still])["aside"] > 0.95
