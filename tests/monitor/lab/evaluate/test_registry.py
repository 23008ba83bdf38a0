"""Leading silence is dropped before anything is scored, and a detector is known by all that determines its scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS, Engine
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import ClipFeatures, extract
from monitor.lab.evaluate.clip_detector import Job
from monitor.lab.evaluate.registry import DETECTORS, SynchronyClips, judge, trim, unusable
from monitor.session.models import load_presence
from monitor.types import AudioBlock, MediaItem, VideoFrame

CLIP = "clips/real/LivePortrait__d20.mp4"


def features(speech: list[bool], faces: int = 1, face: bool = True) -> ClipFeatures:
    """Features whose every array says which step it is of."""
    steps = np.arange(len(speech))
    return ClipFeatures(
        np.repeat(steps[:, None], 168, 1).astype(np.float32),
        np.zeros((len(speech), 36, 36), np.uint8),
        np.full(len(speech), face),
        np.zeros((len(speech), 4, 80), np.float32),
        np.array(speech, np.bool_),
        100.0,
        faces,
    )


@pytest.mark.parametrize(
    ("speech", "first", "seconds"),
    [
        ([False] * 5 + [True] * 3, 5, 0.2),
        ([False, True, False], 1, 0.04),
        ([True, False], 0, 0.0),
        ([False] * 4, 0, 0.0),
        ([], 0, 0.0),
    ],
)
def test_what_lies_before_the_first_speech_is_dropped(speech: list[bool], first: int, seconds: float) -> None:
    cut, dropped = trim(features(speech))
    assert dropped == pytest.approx(seconds)
    assert len(cut) == len(cut.mouth) == len(cut.mel) == len(cut.speech) == len(speech) - first
    assert cut.shape[:, 0].tolist() == list(range(first, len(speech)))


def test_clips_that_no_detector_can_judge() -> None:
    assert unusable(features([True], faces=2)) == "several_faces"
    assert unusable(features([True], face=False)) == "no_face"
    assert unusable(features([True])) is None
    row = Row(Path("a"), "a", "real", "real", "ann")
    found = judge(Job(row), features([False] * 25 + [True] * 25, faces=2), SynchronyClips())
    assert (found.score, found.reason, found.seconds, found.trimmed) == (None, "several_faces", 2.0, 1.0)


def test_too_little_speech_is_silence_and_too_little_of_a_face_low_quality() -> None:
    row = Row(Path("a"), "a", "real", "real", "ann")
    quiet = features([True] * 10 + [False] * 190)
    assert judge(Job(row), quiet, SynchronyClips()).reason == "silence"
    hidden = replace(features([True] * 200), face=np.arange(200) < 10)
    assert judge(Job(row), hidden, SynchronyClips()).reason == "low_quality"


def test_a_detector_is_known_by_its_packs(tmp_path: Path, untrained_packs: Path) -> None:
    assert set(DETECTORS) >= {"synchrony"}
    shipped, other = DETECTORS["synchrony"](MODELS), SynchronyClips(untrained_packs)
    assert shipped.key == SynchronyClips().key != other.key
    assert len({shipped, SynchronyClips(), other}) == 2


@dataclass(frozen=True, slots=True)
class Silence:
    """Silence of so many seconds, with the first picture standing still, before everything else."""

    seconds: float
    name: str = "silence"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        still = sound = None
        for item in items:
            if isinstance(item, VideoFrame) and still is None:
                still = item
                for n in range(round(25 * self.seconds)):
                    yield replace(item, stamp=replace(item.stamp, media=n / 25, capture=n / 25, arrival=n / 25))
            if isinstance(item, AudioBlock) and sound is None:
                sound = item
                quiet = np.zeros(round(16_000 * self.seconds), np.float32)
                yield AudioBlock(replace(item.stamp, media=0.0, capture=0.0, arrival=0.0), quiet)
            if isinstance(item, VideoFrame | AudioBlock):
                at = item.stamp
                late = replace(
                    at,
                    media=at.media + self.seconds,
                    capture=at.capture + self.seconds,
                    arrival=at.arrival + self.seconds,
                )
                yield replace(item, stamp=late)


@pytest.mark.data
@pytest.mark.parametrize("seconds", [0.4, pytest.param(2.0, marks=pytest.mark.long)])
def test_silence_before_a_clip_does_not_change_its_score(
    seconds: float, data_dir: Path, detector: Engine, landmarks: Engine
) -> None:
    row = Row(data_dir / CLIP, CLIP, "real", "real", "ann")
    presence = load_presence()
    if presence is None:
        pytest.skip("the simpler condition hears speech after two seconds of any sound: make speech")
    plain = extract(row.path, detector, landmarks, presence=presence)
    longer = extract(row.path, detector, landmarks, Silence(seconds), presence=presence)
    before, after = (judge(Job(row), each, SynchronyClips()) for each in (plain, longer))
    assert before.score is not None
    assert after.score == pytest.approx(before.score, abs=0.01)
    assert after.seconds == pytest.approx(before.seconds + seconds, abs=0.1)
    assert after.trimmed == pytest.approx(before.trimmed + seconds, abs=0.1)
