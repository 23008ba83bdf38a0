"""Pictures for encoders from elsewhere: where they are cut, and that they are grey over the full range."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine
from monitor.face.encoder_crops import (
    MEAN_FACE_PX,
    MOUTH_LANDMARKS,
    PICTURES,
    STABLE_LANDMARKS,
    Face112,
    Mouth36,
    Mouth88,
    mouth_region,
)
from monitor.face.geometry import canonical
from monitor.face.quality import FaceQuality
from monitor.face.track import FaceTracker, FaceView
from monitor.tap.replay import read_clip
from monitor.types import ByteArray, FloatArray, VideoFrame
from tests.monitor.frames import frame

CLIP = "clips/real/LivePortrait__d12.mp4"


def moved(points: FloatArray, scale: float, angle: float, shift: tuple[float, float]) -> FloatArray:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.asarray(scale * points @ turn.T + shift, np.float32)


@pytest.mark.parametrize(("scale", "angle"), [(1.0, 0.0), (0.5, 0.3), (2.2, -0.2)])
def test_the_mouth_is_88_pixels_of_the_mean_face(scale: float, angle: float) -> None:
    mean = np.array(MEAN_FACE_PX, np.float32)
    mouth = np.array([[119.3, 157.8], [139.3, 157.8]], np.float32)
    region = mouth_region(moved(mean, scale, angle, (40, 30)), moved(mouth, scale, angle, (40, 30)))
    middle = moved(np.array([[129.3, 157.8]], np.float32), scale, angle, (40, 30))[0]
    assert (region.x, region.y) == pytest.approx(tuple(middle), abs=0.01)
    assert region.side == pytest.approx(88 * scale, rel=1e-4)
    assert region.angle == pytest.approx(angle, abs=1e-4)


def view(points: FloatArray, time: float, luma: ByteArray, track: int = 1) -> tuple[VideoFrame, FaceView]:
    """A view of the mean genuine face, moved by hand."""
    picture = frame(luma, time)
    from monitor.face.geometry import fit_pose, rigid_points

    pose = fit_pose(rigid_points(points))
    quality = FaceQuality(100, 1, 0, 0, 0, 1)
    empty = np.zeros((36, 36), np.uint8)
    return picture, FaceView(track, picture.stamp, points, pose, np.zeros(168, np.float32), empty, quality, None)


def face(scale: float = 100.0, x: float = 160.0, y: float = 80.0) -> FloatArray:
    return np.asarray(canonical() * scale + np.array([x, y, 0]), np.float32)


def test_white_and_black_are_255_and_0() -> None:
    light = np.full((320, 320), 235, np.uint8)
    for kind in (Mouth88(), Face112()):
        assert np.unique(kind(*view(face(), 0.0, light))).tolist() == [255]
        assert np.unique(kind(*view(face(), 0.04, light - np.uint8(219)))).tolist() == [0]


def test_the_mouth_follows_a_moving_head_and_smooths_what_trembles() -> None:
    column = np.tile(np.arange(320, dtype=np.uint8)[None] // 2 + 40, (320, 1))
    cut, middles = Mouth88(), []
    for n in range(20):
        points = face(x=150 + n)
        points[list(STABLE_LANDMARKS), 0] += (-1) ** n * np.array([3, -3, 2, -2, 1], np.float32)
        middles.append(float(cut(*view(points, n / 25, column))[44, 40:48].mean()))
    steps = np.diff(middles)
    # One pixel a frame is half a level of luma: the head's own way, without the landmarks' trembling.
    assert np.abs(steps[11:] - 0.5 * 255 / 219).max() < 1.0
    assert cut(*view(face(), 30.0, column)).shape == (88, 88)


def test_the_face_is_its_lower_middle() -> None:
    points = face()
    box = points[:, :2]
    half = float((box.max(0) - box.min(0)).max()) / 2
    middle = box.min(0) / 2 + box.max(0) / 2
    rows = np.tile(np.arange(320, dtype=np.float64)[:, None], (1, 320)) * 0.6 + 16
    seen = Face112()(*view(points, 0.0, np.asarray(np.rint(rows), np.uint8))).astype(np.float64)
    y = (seen[:, 56] * 219 / 255) / 0.6
    assert y[56] == pytest.approx(middle[1] + 0.4 * half, abs=2.5)
    assert y[111] - y[0] == pytest.approx(1.4 * half, abs=4)


def test_the_shipped_encoder_gets_the_picture_that_is_there_anyway() -> None:
    picture, seen = view(face(), 0.0, np.zeros((320, 320), np.uint8))
    assert Mouth36()(picture, seen) is seen.mouth
    assert {name: kind().size for name, kind in PICTURES.items()} == {"mouth36": 36, "mouth88": 88, "face112": 112}


@pytest.mark.data
def test_a_real_mouth_lies_where_the_mean_face_has_it(data_dir: Path, detector: Engine, landmarks: Engine) -> None:
    from monitor.face.geometry import similarity

    tracker = FaceTracker(detector, landmarks)
    found: list[FloatArray] = []
    for item in read_clip(data_dir / CLIP):
        if isinstance(item, VideoFrame) and len(found) < 40:
            for seen in tracker(item)[:1]:
                flat = np.zeros((len(STABLE_LANDMARKS), 1), np.float32)
                source = np.hstack([seen.landmarks[list(STABLE_LANDMARKS), :2], flat])
                pose = similarity(source, np.hstack([np.array(MEAN_FACE_PX, np.float32), flat]))
                mouth = seen.landmarks[list(MOUTH_LANDMARKS), :2].mean(0)
                found.append(pose.scale * pose.rotation[:2, :2] @ mouth + pose.shift[:2])
    # The published alignment has it at (129.3, 157.8); people differ by some pixels.
    assert np.median(found, 0) == pytest.approx((129.3, 157.8), abs=8)
