"""What a picture and its faces leave in doubt: a still, a still mouth, another mouth that moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from monitor.face.geometry import SPEECH_LANDMARKS, Pose, canonical
from monitor.face.quality import FaceQuality
from monitor.face.track import FaceView
from monitor.session.doubt import DoubtWatch
from monitor.types import ByteArray, VideoFrame
from monitor.window.doubts import Doubt
from tests.monitor.frames import frame

FPS = 25
Opening = Callable[[float], float]


def speaking(seconds: float) -> float:
    return 0.04 * float(2 + np.sin(2 * np.pi * 4 * seconds) + np.sin(2 * np.pi * 2.7 * seconds))


def still(_: float) -> float:
    return 0.05


def lively(at: int) -> ByteArray:
    """A picture that changes."""
    rows, columns = np.mgrid[:120, :160]
    return np.asarray(120 + 60 * np.sin((rows + columns + 5 * at) / 20), np.uint8)


def standing(_: int) -> ByteArray:
    return lively(0)


def view(track: int, picture: VideoFrame, opening: float) -> FaceView:
    shape = np.zeros((len(SPEECH_LANDMARKS), 3), np.float32)
    for point in (14, 17):
        shape[SPEECH_LANDMARKS.index(point), 1] = opening
    pose = Pose(50.0, np.eye(3, dtype=np.float32), np.array([80, 60, 0], np.float32))
    quality = FaceQuality(100.0, 0.5, 0.0, 0.0, 0.0, 1.0)
    rows, columns = np.mgrid[:36, :36] - 17.5
    gap = np.exp(-(((rows / (0.5 + 30 * opening)) ** 2 + (columns / 9) ** 2) ** 2))
    mouth = np.asarray(150 - 80 * gap, np.uint8)
    return FaceView(track, picture.stamp, pose.project(canonical()), pose, shape.reshape(-1), mouth, quality, None)


def watched(
    seconds: float,
    mouths: dict[int, Opening],
    picture: Callable[[int], ByteArray] = lively,
    watch: DoubtWatch | None = None,
    start: float = 0.0,
    seen: Callable[[int], Iterable[int]] | None = None,
) -> list[set[Doubt]]:
    """The doubts of each frame; face 1 is the participant's, `seen` says who is in view in which frame."""
    watch, found = watch or DoubtWatch(), []
    for n in range(round(seconds * FPS)):
        at = start + n / FPS
        now = frame(picture(n), at)
        here = set(mouths) if seen is None else set(seen(n)) & set(mouths)
        views = {track: view(track, now, mouths[track](at)) for track in sorted(here)}
        reaches = watch(now, views.get(1), list(views.values()))
        assert reaches.shape == (1, 3)
        found.append({doubt for doubt in Doubt if doubt and reaches[0, doubt - 1]})
        assert watch.frozen == (Doubt.PICTURE_FROZEN in found[-1])
    return found


def test_whoever_speaks_alone_leaves_no_doubt() -> None:
    assert watched(4, {1: speaking}) == [set()] * 100


def test_a_mouth_that_stands_still_in_a_living_picture() -> None:
    found = watched(4, {1: still})
    assert found[:40] == [set()] * 40
    assert found[65:] == [{Doubt.STILL_MOUTH}] * 35


def test_a_picture_that_stands() -> None:
    found = watched(4, {1: still}, standing)
    assert found[:10] == [set()] * 10
    assert found[12] == {Doubt.PICTURE_FROZEN}
    assert found[65:] == [{Doubt.PICTURE_FROZEN, Doubt.STILL_MOUTH}] * 35


def test_a_picture_that_stands_under_its_noise() -> None:
    def noisy(at: int) -> ByteArray:
        return np.asarray(lively(0) + np.random.default_rng(at).normal(0, 5, (120, 160)), np.uint8)

    found = watched(4, {1: still}, noisy)
    assert found[:40] == [set()] * 40
    assert found[65:] == [{Doubt.PICTURE_FROZEN, Doubt.STILL_MOUTH}] * 35
    assert watched(4, {1: speaking}, noisy) == [set()] * 100


def test_a_mouth_that_speaks_before_a_wall_is_no_standing_picture() -> None:
    assert watched(3, {1: speaking}, standing) == [set()] * 75


def test_nobody_in_view_is_no_doubt() -> None:
    assert watched(2, {}, standing) == [set()] * 50


@pytest.mark.parametrize("seen", [None, lambda n: [1] if n % 3 else [1, 2]], ids=["every frame", "every third frame"])
def test_another_mouth_that_moves(seen: Callable[[int], Iterable[int]] | None) -> None:
    found = watched(4, {1: speaking, 2: speaking}, seen=seen)
    assert found[30:] == [{Doubt.SEVERAL_FACES}] * 70


def test_a_poster_is_nobody_who_speaks() -> None:
    assert watched(4, {1: speaking, 2: still}) == [set()] * 100


def test_somebody_who_leaves_is_forgotten() -> None:
    watch = DoubtWatch()
    assert watched(2, {1: speaking, 2: speaking}, watch=watch)[-1] == {Doubt.SEVERAL_FACES}
    after = watched(2, {1: speaking}, watch=watch, start=2.0)
    assert after[0] == {Doubt.SEVERAL_FACES}
    assert after[13:] == [set()] * 37
    assert set(watch._mouths) == {1}
