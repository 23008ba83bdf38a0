"""The ladder: real codecs, the same places, nothing enlarged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from monitor.face.shot import FaceShot
from monitor.face.track import FaceTracker
from monitor.identity.enrolment.condition_ladder import (
    MARGIN,
    MAX_FACE_PX,
    RUNGS,
    Codec,
    Moment,
    Step,
    make_rungs,
    moment_of,
    through,
)
from monitor.tap.replay import read_clip
from monitor.types import VideoFrame
from tests.monitor.frames import frame


def moments(clip: Path, detector: Engine, landmarks: Engine) -> Iterator[Moment]:
    track = FaceTracker(detector, landmarks)
    for item in read_clip(clip):
        if isinstance(item, VideoFrame):
            found = [moment_of(item, view) for view in track(item)]
            yield from (moment for moment in found if moment is not None)


@pytest.fixture(scope="module")
def few(data_dir: Path, detector: Engine, landmarks: Engine) -> list[Moment]:
    return list(moments(data_dir / "clips/real/LivePortrait__d12.mp4", detector, landmarks))[:6]


@pytest.fixture(scope="module")
def rungs(few: list[Moment]) -> dict[str, list[FaceShot]]:
    return dict(make_rungs(few))


@pytest.mark.data
def test_every_rung_shows_the_same_moments(few: list[Moment], rungs: dict[str, list[FaceShot]]) -> None:
    assert list(rungs) == [step.name for step in RUNGS]
    for shots in rungs.values():
        assert [shot.time for shot in shots] == [moment.shot.time for moment in few]
        for shot, moment in zip(shots, few, strict=True):
            assert shot.picture.shape == (224, 224, 3)
            assert np.array_equal(shot.landmarks, moment.shot.landmarks)
            assert shot.pose.angles == pytest.approx(moment.shot.pose.angles)
    assert rungs["as recorded"] == [moment.shot for moment in few]


@pytest.mark.data
def test_faces_are_as_large_as_the_rung_says_and_stay_in_place(
    few: list[Moment], rungs: dict[str, list[FaceShot]]
) -> None:
    for step in RUNGS[1:]:
        for shot, moment in zip(rungs[step.name], few, strict=True):
            assert shot.size == pytest.approx(min(step.face_px or 0, moment.shot.size), rel=0.05)
            assert shot.size / shot.pose.scale == pytest.approx(moment.shot.size / moment.shot.pose.scale, rel=0.02)
            # A pixel off would already cost a good picture several levels.
            assert np.abs(shot.picture.astype(int) - moment.shot.picture).mean() < 9
            shifted = np.roll(moment.shot.picture, 6, axis=1)
            off = np.abs(shot.picture.astype(int) - shifted).mean()
            assert off > np.abs(shot.picture.astype(int) - moment.shot.picture).mean()


@pytest.mark.data
def test_worse_lines_show_less(rungs: dict[str, list[FaceShot]]) -> None:
    sharp = {name: float(np.mean([shot.sharpness for shot in shots])) for name, shots in rungs.items()}
    assert sharp["as recorded"] > sharp["good line"] > sharp["soft focus"]
    assert sharp["good line"] > sharp["poor line"]


@pytest.mark.data
def test_patches_are_bounded_and_a_small_face_is_not_enlarged(few: list[Moment]) -> None:
    assert all(moment.patch.width <= MAX_FACE_PX * 1.3 * MARGIN + 2 for moment in few)
    huge = Step("huge", 4000, "h264", 20)
    ((_, shots),) = make_rungs(few[:1], [huge])
    assert shots[0].size <= few[0].shot.size + 1


@pytest.mark.data
def test_a_turned_or_missing_crop_gives_no_moment(data_dir: Path, detector: Engine, landmarks: Engine) -> None:
    track = FaceTracker(detector, landmarks)
    frames = [i for i in read_clip(data_dir / "clips/real/LivePortrait__d12.mp4") if isinstance(i, VideoFrame)][:3]
    views = [view for each in frames for view in track(each)]
    # Crops come twice a second, not with every frame.
    assert views[1].face is None
    assert moment_of(frames[1], views[1]) is None


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_codecs_give_back_every_picture_in_order(codec: Codec) -> None:
    random = np.random.default_rng(0)
    sent = [frame(np.clip(np.full((64, 64), 20 * n) + random.integers(0, 9, (64, 64)), 0, 255).astype(np.uint8), n)
            for n in range(2, 10)]  # fmt: skip
    good, bad = through(sent, codec, 10), through(sent, codec, 45)
    assert [each.stamp for each in good] == [each.stamp for each in sent]
    for before, after in zip(sent, good, strict=True):
        assert np.abs(before.y.astype(int) - after.y).mean() < 5
    apart = [
        float(np.mean([np.abs(a.y.astype(int) - b.y).mean() for a, b in zip(sent, seen, strict=True)]))
        for seen in (good, bad)
    ]
    assert apart[0] < apart[1]
    assert through([], codec, 10) == []
