"""Pictures that encoders from elsewhere were trained on: cut like theirs, full-range grey, uint8.

`mouth88` is that of AV-HuBERT, BRAVEn and most lip readers: the frame is laid onto a mean face of 256 x 256 by a
similarity on four eye corners and the base of the nose, and 88 x 88 are cut round the mouth. `face112` is that of
TalkNet, Light-ASD and LR-ASD: the lower middle of the face box, upright, 112 x 112.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from monitor.face.crops import Region, cut, luma
from monitor.face.geometry import canonical, similarity
from monitor.face.track import MOUTH_SIZE, FaceView
from monitor.types import ByteArray, FloatArray, VideoFrame

# MediaPipe's numbers for the points 33, 36, 39, 42, 45 and 48..67 of the 68-point face.
STABLE = (2, 33, 133, 362, 263)
MOUTH = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
# Where the five stable points lie on the mean face of 256 x 256 pixels.
MEAN_FACE = ((128.87, 137.30), (92.52, 94.37), (112.77, 94.94), (145.53, 94.53), (166.68, 93.57))
SMOOTHED = 12
AWAY = 0.5
# The face box as a detector draws it, in eye distances; half of its larger side is LR-ASD's unit.
_CENTRE_SHIFT, _SIDE = 0.4, 1.4


class Picture(Protocol):
    """Cuts the picture of one kind out of each frame of one face, in order."""

    size: int

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Cut (size, size) uint8."""
        ...


class Mouth36:
    """What the shipped encoder takes: the view has it already."""

    size = MOUTH_SIZE

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Give the view's own mouth picture, as it is."""
        return view.mouth


class Mouth88:
    """Mouth on the mean face: 88 x 88 round the mean of the 20 mouth points.

    The alignment is smoothed over the last 12 frames and re-centred on the newest (the original looks 12 frames ahead,
    which a live stream cannot).
    """

    size = 88

    def __init__(self) -> None:
        self._past: deque[FloatArray] = deque(maxlen=SMOOTHED)
        self._track: int | None = None
        self._seen = float("-inf")

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Cut the mouth of one frame."""
        if view.track != self._track or view.stamp.media - self._seen > AWAY:
            self._past.clear()
        self._track, self._seen = view.track, view.stamp.media
        points = view.landmarks[list(STABLE + MOUTH), :2]
        self._past.append(points)
        smooth = np.mean(self._past, 0)
        smooth = smooth - smooth.mean(0) + points.mean(0)
        return _grey(frame, mouth_region(np.asarray(smooth[: len(STABLE)], np.float32), points[len(STABLE) :]), 88)


class Face112:
    """LR-ASD's face: 0.7 of the face box, a fifth of it below its centre, never turned."""

    size = 112

    def __call__(self, frame: VideoFrame, view: FaceView) -> ByteArray:
        """Cut the face of one frame; the box is that of the mean face under this head's pose, steady in speech."""
        box = view.pose.project(canonical())[:, :2]
        low, high = box.min(0), box.max(0)
        half = float((high - low).max()) / 2
        x, y = (float(n) for n in (low + high) / 2)
        return _grey(frame, Region(x, y + _CENTRE_SHIFT * half, _SIDE * half), 112)


PICTURES: Mapping[str, Callable[[], Picture]] = {"mouth36": Mouth36, "mouth88": Mouth88, "face112": Face112}


def mouth_region(stable: FloatArray, mouth: FloatArray) -> Region:
    """Where in the picture the 88 x 88 mouth of the mean face lies, from points (5, 2) and (20, 2) in pixels."""
    flat = np.zeros((len(STABLE), 1), np.float32)
    target = np.asarray(MEAN_FACE, np.float32)
    pose = similarity(np.hstack([target, flat]), np.hstack([stable, flat]))
    x, y = (float(n) for n in mouth.mean(0))
    turned = math.atan2(float(pose.rotation[1, 0]), float(pose.rotation[0, 0]))
    return Region(x, y, 88 * pose.scale, turned)


def _grey(frame: VideoFrame, region: Region, size: int) -> ByteArray:
    piece = cut(frame.y, region, size, 0 if frame.full_range else 16)
    return np.asarray(np.rint(luma(piece, frame.full_range) * 255), np.uint8)
