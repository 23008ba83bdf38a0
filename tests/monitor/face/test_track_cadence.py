"""Faces of a real clip followed with fewer landmarks: every picture is seen, in order, and nothing is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from monitor.face.cadence import CALM, EVERY, LIGHT, Cadence
from monitor.face.track import FaceTracker, Followed
from monitor.lab.evaluate.landmark_cadence import Counted
from monitor.types import VideoFrame
from tests.monitor.face.test_track import CLIP, first_frames, resized
from tests.monitor.frames import frame, moved, stamp

FRAMES = 50
Make = Callable[[Cadence], FaceTracker]


@pytest.fixture(scope="module")
def pictures(data_dir: Path) -> list[VideoFrame]:
    return first_frames(data_dir / CLIP, FRAMES)


@pytest.fixture
def counted(landmarks: Engine) -> Counted:
    return Counted(landmarks)


@pytest.fixture
def make(detector: Engine, counted: Counted) -> Make:
    return lambda cadence: FaceTracker(detector, counted, cadence=cadence)


def run(tracker: FaceTracker, frames: Iterable[VideoFrame]) -> list[Followed]:
    return [seen for each in frames for seen in tracker.push(each)] + tracker.settle()


@pytest.mark.data
@pytest.mark.parametrize(("cadence", "share"), [(CALM, 0.85), (LIGHT, 0.6)])
def test_fewer_landmarks_show_nearly_the_same(
    make: Make, counted: Counted, pictures: list[VideoFrame], cadence: Cadence, share: float
) -> None:
    every = run(make(EVERY), pictures)
    all_rows = counted.rows
    fewer = run(make(cadence), pictures)
    assert counted.rows - all_rows < share * all_rows
    assert [seen.frame for seen in fewer] == pictures
    shapes, mouths, crops = (
        [np.stack([getattr(seen.views[0], name) for seen in found]) for found in (every, fewer)]
        for name in ("shape", "mouth", "landmarks")
    )
    moves = np.abs(np.diff(shapes[0], axis=0)).mean()
    assert np.abs(shapes[0] - shapes[1]).mean() < moves
    assert np.abs(crops[0] - crops[1])[..., :2].mean() < 1.0
    # The mouth is cut in every picture, from where it is.
    assert np.abs(mouths[0].astype(int) - mouths[1]).mean() < 4
    assert (np.abs(np.diff(mouths[1].astype(int), axis=0)).mean((1, 2)) > 0).all()
    assert {seen.views[0].track for seen in fewer} == {1}
    assert all(seen.views[0].stamp is seen.frame.stamp for seen in fewer)


@pytest.mark.data
def test_face_crops_are_of_pictures_with_landmarks_of_their_own(make: Make, pictures: list[VideoFrame]) -> None:
    crops = [seen.views[0].face is not None for seen in run(make(LIGHT), pictures)]
    assert [n for n, crop in enumerate(crops) if crop] == [0, 13, 26, 39]


@pytest.mark.data
def test_a_picture_waits_for_no_longer_than_the_next(make: Make, pictures: list[VideoFrame]) -> None:
    tracker, late = make(CALM), 0.0
    for picture in pictures:
        for seen in tracker.push(picture):
            late = max(late, picture.stamp.media - seen.frame.stamp.media)
    assert 0.0 < late <= CALM.longest_seconds
    assert tracker.waits_since is None or tracker.waits_since >= pictures[-1].stamp.arrival - CALM.longest_seconds


@pytest.mark.data
def test_what_waits_is_followed_when_nothing_comes(make: Make, counted: Counted, pictures: list[VideoFrame]) -> None:
    tracker = make(LIGHT)
    assert [len(tracker.push(each)) for each in pictures[:2]] == [1, 0]
    assert tracker.waits_since == pictures[1].stamp.arrival
    rows = counted.rows
    (seen,) = tracker.settle()
    assert counted.rows == rows + 1
    assert (seen.frame, len(seen.views)) == (pictures[1], 1)
    assert tracker.settle() == []
    assert tracker.waits_since is None


@pytest.mark.data
def test_a_picture_that_is_asked_for_at_once_is_given_at_once(make: Make, pictures: list[VideoFrame]) -> None:
    tracker = make(LIGHT)
    assert all(len(tracker(each)) == 1 for each in pictures[:10])


@pytest.mark.data
def test_a_cut_to_another_place_is_followed_picture_by_picture(
    make: Make, counted: Counted, pictures: list[VideoFrame]
) -> None:
    """The face jumps while a picture waits: neither before nor after is it shown where it is not."""
    wide = [frame(np.pad(resized(each.y, 300), ((0, 0), (0, 500)), constant_values=90)) for each in pictures[:20]]
    jumped = [moved(each if n < 10 else frame(np.roll(each.y, 420, axis=1)), n / 25) for n, each in enumerate(wide)]
    seen = run(make(LIGHT), jumped)
    assert [each.frame for each in seen] == jumped
    for n, each in enumerate(seen):
        for view in each.views:
            assert (view.box[0] < 300) == (n < 10)
    assert seen[-1].views


@pytest.mark.data
def test_a_face_that_is_gone_is_not_shown_while_it_is(make: Make, pictures: list[VideoFrame]) -> None:
    grey = np.full_like(pictures[0].y, 90)
    frames = [moved(each if n < 8 else frame(grey), n / 25) for n, each in enumerate(pictures[:12])]
    assert [len(each.views) for each in run(make(LIGHT), frames)] == [1] * 8 + [0] * 4


@pytest.mark.data
def test_a_change_of_size_lets_nothing_wait(make: Make, pictures: list[VideoFrame]) -> None:
    frames = [moved(each if n < 6 else frame(resized(each.y, 200)), n / 25) for n, each in enumerate(pictures[:12])]
    seen = run(make(LIGHT), frames)
    assert [each.frame for each in seen] == frames
    assert all(each.views for each in seen)
    assert [each.views[0].quality.size < 150 for each in seen] == [False] * 6 + [True] * 6


@pytest.mark.data
def test_neither_damaged_pictures_nor_those_beside_them_lie_between(
    make: Make, counted: Counted, pictures: list[VideoFrame]
) -> None:
    frames = [replace(each, damaged=n % 4 == 2) for n, each in enumerate(pictures[:12])]
    run(make(LIGHT), frames)
    assert counted.rows >= 11


@pytest.mark.data
@pytest.mark.parametrize("jump", [5.0, -5.0])
def test_a_clock_that_jumps_mixes_nothing(
    make: Make, counted: Counted, pictures: list[VideoFrame], jump: float
) -> None:
    tracker = make(LIGHT)
    assert [len(tracker.push(each)) for each in pictures[:2]] == [1, 0]
    rows = counted.rows
    seen = tracker.push(replace(pictures[2], stamp=stamp(pictures[2].stamp.media + jump)))
    assert [len(each.views) for each in seen] == [1, 1]
    assert counted.rows == rows + 2
