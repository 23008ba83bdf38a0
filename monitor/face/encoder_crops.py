"""Crops of the mouth or the face as published encoders were trained on them: full-range grey, uint8.

`mouth88` is that of AV-HuBERT, BRAVEn and most lip readers: the frame is laid onto a mean face of 256 x 256 by a
similarity on four eye corners and the base of the nose, and 88 x 88 are cut round the mouth. `face112` is that of
TalkNet, Light-ASD and LR-ASD: the lower middle of the face box, upright, 112 x 112.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from monitor.face.crops import Region, cut, luma
from monitor.face.geometry import canonical, similarity_2d
from monitor.face.track import MOUTH_SIZE, FaceView
from monitor.types import ByteArray, FloatArray, VideoFrame

# MediaPipe's landmarks at the points 33, 36, 39, 42, 45 and 48..67 of the 68-point face.
STABLE_LANDMARKS = (2, 33, 133, 362, 263)
MOUTH_LANDMARKS = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
# The five stable points on the mean face of 256 x 256 pixels.
MEAN_FACE_PX = ((128.87, 137.30), (92.52, 94.37), (112.77, 94.94), (145.53, 94.53), (166.68, 93.57))
SMOOTHED_FRAMES = 12
MAX_ABSENCE_SECONDS = 0.5
# The face box as a detector draws it, in eye distances; half of its larger side is LR-ASD's unit.
_FACE_CENTRE_SHIFT, _FACE_SIDE = 0.4, 1.4


class Picture(Protocol):
    """Cuts the crop of one kind out of each frame of one face, in order; `size` is its side in pixels."""

    size: int

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Cut (size, size) uint8."""
        ...


class Mouth36:
    """The crop of the shipped encoder, which the view has already."""

    size = MOUTH_SIZE

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Return the mouth picture of the view as it is."""
        return view.mouth


class Mouth88:
    """Mouth on the mean face: 88 x 88 round the mean of the 20 mouth points.

    The alignment is smoothed over the last 12 frames and re-centred on the newest (the original looks 12 frames ahead,
    which a live stream cannot).
    """

    size = 88

    def __init__(self) -> None:
        self._recent_points: deque[FloatArray] = deque(maxlen=SMOOTHED_FRAMES)
        self._track: int | None = None
        self._last_seen = float("-inf")

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Cut the mouth of one frame."""
        if view.track != self._track or view.stamp.media - self._last_seen > MAX_ABSENCE_SECONDS:
            self._recent_points.clear()
        self._track, self._last_seen = view.track, view.stamp.media
        points = view.landmarks[list(STABLE_LANDMARKS + MOUTH_LANDMARKS), :2]
        self._recent_points.append(points)
        smooth = np.mean(self._recent_points, 0)
        smooth = smooth - smooth.mean(0) + points.mean(0)
        return _grey(
            frame,
            mouth_region(np.asarray(smooth[: len(STABLE_LANDMARKS)], np.float32), points[len(STABLE_LANDMARKS) :]),
            88,
        )


class Face112:
    """LR-ASD's face: 0.7 of the face box, a fifth of it below its centre, never turned."""

    size = 112

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Cut the face of one frame; the box is that of the mean face under this head's pose, steady in speech."""
        box = view.pose.project(canonical())[:, :2]
        low, high = box.min(0), box.max(0)
        half = float((high - low).max()) / 2
        x, y = (float(n) for n in (low + high) / 2)
        return _grey(frame, Region(x, y + _FACE_CENTRE_SHIFT * half, _FACE_SIDE * half), 112)


PICTURES: Mapping[str, Callable[[], Picture]] = {"mouth36": Mouth36, "mouth88": Mouth88, "face112": Face112}


def mouth_region(stable: FloatArray, mouth: FloatArray) -> Region:
    """Compute the region of the 88 x 88 mouth crop from stable points (5, 2) and mouth points (20, 2) in pixels."""
    pose = similarity_2d(np.asarray(MEAN_FACE_PX, np.float32), stable)
    x, y = (float(n) for n in mouth.mean(0))
    return Region(x, y, Mouth88.size * pose.scale, pose.roll)


def _grey(frame: VideoFrame, region: Region, size: int) -> ByteArray:
    piece = cut(frame.y, region, size, 0 if frame.full_range else 16)
    return np.asarray(np.rint(luma(piece, frame.full_range) * 255), np.uint8)
