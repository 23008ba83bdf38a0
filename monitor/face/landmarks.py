"""468 landmarks in a region, and the region for the next frame: MediaPipe's face mesh, following its own output."""

from __future__ import annotations

import math

import numpy as np

from engines.base import Engine
from monitor.face.crops import Region, cut, luma
from monitor.face.geometry import LANDMARK_COUNT, LEFT_EYE, RIGHT_EYE, bounding_box
from monitor.types import FloatArray, VideoFrame

INPUT_PX = 192


class FaceLandmarks:
    """The landmark model on one region."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, frame: VideoFrame, region: Region) -> tuple[FloatArray, float]:
        """Return landmarks (468, 3) in pixels and the probability in [0, 1] that a face is there.

        The model was trained in colour; luma three times over moves its landmarks by under 1 % of the distance between
        the eyes (`tests/monitor/face/test_luma.py`) and spares the conversion.
        """
        piece = luma(cut(frame.y, region, INPUT_PX), frame.full_range)
        out = self._engine.run({"image": np.broadcast_to(piece[None, :, :, None], (1, INPUT_PX, INPUT_PX, 3))})
        points = region.to_picture(out["landmarks"][0].reshape(LANDMARK_COUNT, 3) / INPUT_PX)
        return points, 1 / (1 + math.exp(min(-float(out["presence"].reshape(-1)[0]), 80.0)))


def region_of(landmarks: FloatArray, box: FloatArray | None = None) -> Region:
    """Compute the region to look for this face in the next frame: 1.5 times its longer side, eyes level.

    `box` is the `bounding_box` of the landmarks, where that is known already.
    """
    (right_x, right_y), (left_x, left_y) = landmarks[RIGHT_EYE, :2].tolist(), landmarks[LEFT_EYE, :2].tolist()
    x0, y0, x1, y1 = (bounding_box(landmarks) if box is None else box).tolist()
    side = 1.5 * max(x1 - x0, y1 - y0)
    return Region((x0 + x1) / 2, (y0 + y1) / 2, side, math.atan2(left_y - right_y, left_x - right_x))
