"""A face shot: the crop of a face at one moment with its landmarks, pose and sharpness, for comparing faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.face.geometry import Pose
from monitor.face.track import FACE_SIZE, FaceView, face_region
from monitor.types import ByteArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FaceShot:
    """A face at one moment.

    `time` is seconds on the track's own timeline; `picture` (224, 224, 3) uint8 RGB, the landmarks' box enlarged by
    1.3; `landmarks` (468, 3) in pixels of `picture`; `pose` of the head, in pixels of the frame; `size` the face's
    height in pixels of the frame; `sharpness` as `monitor.face.crops.sharpness` measures it at the mouth.
    """

    time: float
    picture: ByteArray
    landmarks: FloatArray
    pose: Pose
    size: float
    sharpness: float


def shot_of(view: FaceView) -> FaceShot | None:
    """Take a shot off a view; None when the view has no crop, or is not good enough to judge."""
    if view.face is None or view.quality.problem is not None:
        return None
    region = face_region(view.box)
    corner = np.array([region.x - region.side / 2, region.y - region.side / 2, 0.0], np.float32)
    landmarks = (view.landmarks - corner) * np.float32(FACE_SIZE / region.side)
    return FaceShot(
        view.stamp.media,
        view.face,
        landmarks.astype(np.float32),
        view.pose,
        view.quality.size,
        view.quality.sharpness,
    )
