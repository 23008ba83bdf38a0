"""Faces of real clips, found and followed by the real models; and what happens where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from engines.base import Engine
from monitor.face.landmarks import FaceLandmarks, region_of
from monitor.face.track import FACE_SIZE, MAX_TRACKS, MOUTH_SIZE, FaceTracker, FaceView
from monitor.tap.replay import read_clip
from monitor.types import ByteArray, Reason, VideoFrame
from tests.monitor.frames import frame, moved, stamp

CLIP = "clips/real/DiffDub__ablation_study__RD_Radio13_000_25fps__GT.mp4"
OTHER = "clips/real/LivePortrait__d12.mp4"


@pytest.fixture
def tracker(detector: Engine, landmarks: Engine) -> FaceTracker:
    return FaceTracker(detector, landmarks)


def first_frames(clip: Path, count: int) -> list[VideoFrame]:
    found: list[VideoFrame] = []
    for item in read_clip(clip):
        if isinstance(item, VideoFrame):
            found.append(item)
            if len(found) == count:
                break
    return found


@pytest.fixture(scope="module")
def pictures(data_dir: Path) -> list[VideoFrame]:
    return first_frames(data_dir / CLIP, 20)


@pytest.fixture(scope="module")
def other(data_dir: Path) -> VideoFrame:
    return first_frames(data_dir / OTHER, 1)[0]


def resized(plane: ByteArray, height: int) -> ByteArray:
    width = round(plane.shape[1] * height / plane.shape[0])
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS))


def pasted(pieces: list[ByteArray], places: list[tuple[int, int]], width: int = 1280, height: int = 720) -> ByteArray:
    """A grey picture with pieces at the places (x, y) of their corners."""
    canvas = np.full((height, width), 90, np.uint8)
    for piece, (x, y) in zip(pieces, places, strict=True):
        canvas[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
    return canvas


@pytest.mark.data
def test_a_face_is_found_in_the_first_frame_and_kept(tracker: FaceTracker, pictures: list[VideoFrame]) -> None:
    seen = [tracker(picture) for picture in pictures]
    assert [len(views) for views in seen] == [1] * len(pictures)
    assert {views[0].track for views in seen} == {1}
    view = seen[0][0]
    assert view.stamp is pictures[0].stamp
    assert view.landmarks.shape == (468, 3)
    assert view.shape.shape == (168,)
    assert view.mouth.shape == (MOUTH_SIZE, MOUTH_SIZE)
    assert view.quality.problem is None
    assert 100 < view.quality.size < 320
    assert view.box[3] - view.box[1] == pytest.approx(view.quality.size)


@pytest.mark.data
def test_face_crops_come_about_twice_a_second(tracker: FaceTracker, pictures: list[VideoFrame]) -> None:
    crops = [view.face for picture in pictures for view in tracker(picture)]
    assert [n for n, crop in enumerate(crops) if crop is not None] == [0, 13]
    assert crops[0] is not None
    assert crops[0].shape == (FACE_SIZE, FACE_SIZE, 3)


@pytest.mark.data
def test_lips_move_little_between_frames_and_more_over_time(tracker: FaceTracker, pictures: list[VideoFrame]) -> None:
    shapes = np.stack([tracker(picture)[0].shape for picture in pictures])
    steps = np.abs(np.diff(shapes, axis=0)).mean()
    assert 0 < steps < 0.05
    assert np.abs(shapes).max() < 1


@pytest.mark.data
@pytest.mark.parametrize("place", [(60, 80), (1000, 520)])
def test_a_face_60_pixels_high_is_found_within_20_frames(
    tracker: FaceTracker, pictures: list[VideoFrame], place: tuple[int, int]
) -> None:
    # The face is 0.56 of the clip's height.
    small = frame(pasted([resized(pictures[0].y, 107)], [place]))
    for n in range(20):
        views = tracker(moved(small, n / 25))
        if views:
            break
    assert 45 < views[0].quality.size < 75
    assert place[0] < views[0].box[0] < place[0] + 107


@pytest.mark.data
def test_two_faces_are_two_tracks_the_larger_first(
    tracker: FaceTracker, pictures: list[VideoFrame], other: VideoFrame
) -> None:
    pair = frame(pasted([resized(pictures[0].y, 500), resized(other.y, 400)], [(40, 100), (720, 150)]))
    seen = [tracker(moved(pair, n / 25)) for n in range(40)]
    assert len(seen[-1]) == 2
    assert len({view.track for view in seen[-1]}) == 2
    assert seen[-1][0].quality.size >= seen[-1][1].quality.size
    assert {view.track for views in seen for view in views} == {1, 2}


@pytest.mark.data
@pytest.mark.parametrize("place", [(900, 60), (1080, 500)])
def test_a_small_face_beside_a_large_one_is_found_and_followed_at_a_lower_rate(
    tracker: FaceTracker, pictures: list[VideoFrame], other: VideoFrame, place: tuple[int, int]
) -> None:
    # Faces of 340 and 100 pixels: the small one is lost in the whole picture.
    pair = frame(pasted([resized(pictures[0].y, 600), resized(other.y, 190)], [(40, 100), place]))
    seen = [tracker(moved(pair, n / 5)) for n in range(90)]
    large, small = seen[-1]
    assert small.quality.size < 0.45 * large.quality.size
    assert place[0] < small.box[0] < small.box[2] < place[0] + 190
    after = [tracker(moved(pair, 18 + n / 25)) for n in range(50)]
    assert all(views[0].track == large.track for views in after)
    assert 14 <= sum(len(views) == 2 for views in after) <= 20


@pytest.mark.data
def test_no_more_faces_are_followed_than_allowed(tracker: FaceTracker, pictures: list[VideoFrame]) -> None:
    crowd = frame(pasted([pictures[0].y] * 4, [(0, 0), (320, 0), (0, 320), (320, 320)], 640, 640))
    assert [len(tracker(moved(crowd, n / 5))) for n in range(10)] == [MAX_TRACKS] * 10


@pytest.mark.data
def test_a_new_resolution_keeps_the_face(tracker: FaceTracker, pictures: list[VideoFrame]) -> None:
    (before,) = tracker(pictures[0])
    (after,) = tracker(frame(resized(pictures[1].y, 160), pictures[1].stamp.media))
    assert after.track == before.track
    assert after.quality.size == pytest.approx(before.quality.size / 2, rel=0.1)
    assert after.shape == pytest.approx(before.shape, abs=0.15)
    (again,) = tracker(pictures[2])
    assert again.track == before.track


@pytest.mark.data
def test_a_new_shape_of_picture_is_a_new_search(tracker: FaceTracker, pictures: list[VideoFrame]) -> None:
    assert tracker(pictures[0])
    wide = frame(pasted([resized(pictures[1].y, 160)], [(150, 10)], 320, 180), pictures[1].stamp.media)
    (view,) = tracker(wide)
    assert view.track == 2
    assert view.box[0] > 150


@pytest.mark.data
def test_a_face_that_leaves_is_lost_and_one_that_comes_back_is_found(
    tracker: FaceTracker, pictures: list[VideoFrame]
) -> None:
    assert tracker(pictures[0])
    empty = frame(np.full(pictures[0].y.shape, 90, np.uint8))
    assert [tracker(moved(empty, 0.04 * n)) for n in (1, 2, 3)] == [[], [], []]
    (back,) = tracker(moved(pictures[0], 0.2))
    assert back.track == 2


@pytest.mark.data
def test_quality_falls_with_blur_and_with_size(detector: Engine, landmarks: Engine, pictures: list[VideoFrame]) -> None:
    def view(plane: ByteArray) -> FaceView:
        return FaceTracker(detector, landmarks)(frame(plane))[0]

    plane = pictures[0].y
    sharp, blurred = view(plane), view(np.asarray(Image.fromarray(plane).filter(ImageFilter.GaussianBlur(4))))
    assert blurred.quality.sharpness < 0.6 * sharp.quality.sharpness
    small = view(resized(plane, 76))
    assert small.quality.size < 48
    assert small.quality.problem is Reason.LOW_QUALITY


@pytest.mark.data
def test_two_tracks_on_one_face_become_one(tracker: FaceTracker, pictures: list[VideoFrame]) -> None:
    (view,) = tracker(pictures[0])
    twin = replace(tracker._tracks[0], number=7)
    tracker._tracks.append(twin)
    assert [v.track for v in tracker(pictures[1])] == [view.track]
    assert len(tracker._tracks) == 1


@pytest.mark.data
def test_the_next_region_holds_the_face_with_level_eyes(landmarks: Engine, pictures: list[VideoFrame]) -> None:
    tilted = Image.fromarray(pictures[0].y).rotate(20, Image.Resampling.BILINEAR)
    found = FaceLandmarks(landmarks)
    region = region_of(found(pictures[0], region_of(_centred(pictures[0])))[0])
    turned = region_of(found(frame(np.asarray(tilted)), replace(region, angle=-0.2))[0])
    assert np.degrees(turned.angle - region.angle) == pytest.approx(-20, abs=4)
    assert turned.side == pytest.approx(region.side, rel=0.15)


def _centred(picture: VideoFrame) -> np.typing.NDArray[np.float32]:
    """468 points whose box is about where the face of CLIP lies."""
    points = np.zeros((468, 3), np.float32)
    points[:, :2] = np.array([picture.width, picture.height], np.float32) / 2
    points[0, :2], points[1, :2] = (95, 60), (230, 240)
    points[33, :2], points[263, :2] = (120, 120), (200, 120)
    return points


@pytest.mark.parametrize("size", [(720, 1280), (90, 160)])
def test_pictures_without_a_face_give_no_view(tracker: FaceTracker, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(16, 236, size).astype(np.uint8)
    flat = np.full(size, 80, np.uint8)
    pictures = [replace(frame(plane), stamp=stamp(n / 25)) for n, plane in enumerate([noise, flat] * 3)]
    assert [tracker(picture) for picture in pictures] == [[]] * 6
