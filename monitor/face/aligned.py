"""Face chips: the face aligned to a mean face, as the identity encoder was trained to see it, 150 x 150, eyes level.

The mean face is that of dlib's `get_face_chip_details` with a padding of a quarter: a least-squares similarity brings
the corners of the eyes and the base of the nose to fixed places, without stretching the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from monitor.face.geometry import similarity_2d
from monitor.face.shot import FaceShot
from monitor.types import ByteArray, FloatArray

CHIP_PX = 150
PADDING_RATIO = 0.25
# MediaPipe's landmarks at dlib's five points, and where those lie on its mean face, in units of the face's side.
CHIP_LANDMARKS = (263, 362, 33, 133, 2)
MEAN_FACE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)


def align_shot(shot: FaceShot) -> ByteArray:
    """Cut the chip (150, 150, 3) uint8 RGB out of the shot; what lies outside its picture is black."""
    return align(shot.picture, shot.landmarks)


def chips(shots: Sequence[FaceShot]) -> FloatArray:
    """Cut at least one chip as the identity encoder takes them: (N, 3, 150, 150) float32, RGB in 0..255."""
    batch = np.stack([align_shot(shot) for shot in shots]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(batch, np.float32)


def align(picture: ByteArray, landmarks: FloatArray) -> ByteArray:
    """Cut the chip out of any picture (H, W, 3) RGB with landmarks (468, 2+) in its pixels."""
    target = (np.asarray(MEAN_FACE, np.float32) + PADDING_RATIO) / (1 + 2 * PADDING_RATIO) * CHIP_PX
    pose = similarity_2d(target, landmarks[list(CHIP_LANDMARKS), :2])
    angle = pose.roll
    cos, sin = math.cos(angle) * pose.scale, math.sin(angle) * pose.scale
    x, y = float(pose.shift[0]), float(pose.shift[1])
    image = Image.fromarray(picture)
    # A strong reduction would alias: shrink first by a whole factor, which Pillow averages.
    shrink = max(int(pose.scale), 1)
    if shrink > 1:
        image = image.reduce(shrink)
    matrix = (cos / shrink, -sin / shrink, x / shrink, sin / shrink, cos / shrink, y / shrink)
    return np.asarray(image.transform((CHIP_PX, CHIP_PX), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
