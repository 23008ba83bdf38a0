"""Geometry of the 468-point face: rigid fits, head pose, and the landmarks of speech.

Everything here is a pure function of arrays. Landmarks are float32 of shape (468, 3) in pixels (x right, y down, z away
from the camera, on the scale of x), in MediaPipe's numbering.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.types import FloatArray

LANDMARK_COUNT = 468
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415)
JAW = (152, 148, 176, 149, 150, 136, 172, 377, 400, 378, 379, 365, 397, 199, 200, 18)
SPEECH_LANDMARKS = OUTER_LIPS + INNER_LIPS + JAW
# Points that speaking moves little: brow bridge, nose bridge, eye corners, temples, forehead.
RIGID_LANDMARKS = (
    10,
    109,
    338,
    67,
    297,
    151,
    9,
    8,
    168,
    6,
    197,
    195,
    5,
    33,
    133,
    362,
    263,
    127,
    356,
    234,
    454,
    162,
    389,
    54,
    284,
)
RIGHT_EYE, LEFT_EYE = 33, 263
SPEECH_SHAPE_SIZE = len(SPEECH_LANDMARKS) * 3

_SPEECH = np.array(SPEECH_LANDMARKS)
_RIGID = np.array(RIGID_LANDMARKS)


@cache
def canonical() -> FloatArray:
    """Load the mean genuine face, (468, 3), x right, y down.

    Centred on the rigid points; the outer eye corners are 1 apart.
    """
    face: FloatArray = np.load(Path(__file__).with_name("canonical.npy"))
    return face


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A similarity from the canonical face to the picture: picture = scale * rotation @ canonical + shift."""

    scale: float
    rotation: FloatArray
    shift: FloatArray

    @property
    def angles(self) -> tuple[float, float, float]:
        """Yaw, pitch and roll in degrees; zero when the face looks into the camera."""
        (xx, _, _), (yx, _, _), (zx, zy, zz) = self.rotation.tolist()
        yaw, pitch, roll = math.atan2(-zx, math.hypot(xx, yx)), math.atan2(zy, zz), math.atan2(yx, xx)
        return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)

    @property
    def roll(self) -> float:
        """Rotation in the picture plane in radians, x towards y."""
        return math.atan2(float(self.rotation[1, 0]), float(self.rotation[0, 0]))

    def project(self, points: FloatArray) -> FloatArray:
        """Canonical points (N, 3) to the picture (N, 3)."""
        picture: NDArray[np.float64] = self.scale * points @ self.rotation.T + self.shift
        return picture.astype(np.float32)

    def normalise(self, points: FloatArray) -> FloatArray:
        """Picture points (N, 3) to the canonical frame (N, 3)."""
        level: NDArray[np.float64] = (points - self.shift) @ self.rotation / self.scale
        return level.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Several poses as `Pose` has one: `scale` (N,), `rotation` (N, 3, 3), `shift` (N, 3)."""

    scale: NDArray[np.float64]
    rotation: FloatArray
    shift: FloatArray

    @property
    def angles(self) -> FloatArray:
        """Yaw, pitch and roll in radians, (N, 3); zero when the face looks into the camera."""
        r = self.rotation
        yaw = np.arctan2(-r[:, 2, 0], np.hypot(r[:, 0, 0], r[:, 1, 0]))
        return np.stack([yaw, np.arctan2(r[:, 2, 1], r[:, 2, 2]), np.arctan2(r[:, 1, 0], r[:, 0, 0])], axis=1)

    def normalise(self, points: FloatArray) -> FloatArray:
        """Picture points (N, P, 3) to the canonical frame (N, P, 3)."""
        level: NDArray[np.float64] = (points - self.shift[:, None]) @ self.rotation / self.scale[:, None, None]
        return level.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Centred:
    """Points (N, 3) less their mean, which is kept beside, and their mean squared distance from it."""

    points: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: float


def _centred(points: FloatArray) -> _Centred:
    exact: NDArray[np.float64] = points.astype(np.float64)
    mean = np.add.reduce(exact) / len(exact)
    exact -= mean
    return _Centred(exact, mean, float(np.vdot(exact, exact)) / len(exact))


def similarity(source: FloatArray, target: FloatArray) -> Pose:
    """Least-squares similarity from `source` to `target`, both (N, 3) (Umeyama 1991, eq. 40-42)."""
    return _fit(_centred(source), _centred(target))


def similarity_2d(source: FloatArray, target: FloatArray) -> Pose:
    """Least-squares similarity in the picture plane from `source` to `target`, both (N, 2); only its roll turns."""
    zeros = np.zeros((len(source), 1), np.float32)
    return similarity(np.hstack([source, zeros]), np.hstack([target, zeros]))


def _fit(a: _Centred, b: _Centred) -> Pose:
    u, singular, vt = np.linalg.svd(b.points.T @ a.points / len(a.points))
    stretch = float(singular[0] + singular[1])
    if _is_reflection(u) != _is_reflection(vt):
        u[:, 2] *= -1
        stretch -= float(singular[2])
    else:
        stretch += float(singular[2])
    rotation = u @ vt
    scale = max(stretch / max(a.spread, 1e-12), 1e-6)
    return Pose(scale, rotation.astype(np.float32), (b.mean - scale * (rotation @ a.mean)).astype(np.float32))


def _is_reflection(orthogonal: NDArray[np.float64]) -> bool:
    """Whether an orthogonal (3, 3) mirrors; by hand, which is a tenth of what a general determinant takes."""
    (a, b, c), (d, e, f), (g, h, i) = orthogonal.tolist()
    return bool(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0)


def rigid_points(landmarks: FloatArray) -> FloatArray:
    """Pick the points that head pose is read from, (..., 25, 3), of landmarks (..., 468, 3)."""
    points: FloatArray = landmarks[..., _RIGID, :]
    return points


def fit_pose(rigid: FloatArray) -> Pose:
    """Head pose from `rigid_points`."""
    return _fit(_canonical_rigid(), _centred(rigid))


def fit_poses(rigid: FloatArray) -> Poses:
    """Head poses (N,) from the `rigid_points` (N, 25, 3) of as many faces: `fit_pose` of each, in one go."""
    a, exact = _canonical_rigid(), rigid.astype(np.float64)
    means = exact.mean(axis=1)
    exact -= means[:, None]
    u, singular, vt = np.linalg.svd(exact.transpose(0, 2, 1) @ a.points / len(a.points))
    # As in `_fit`: a fit that mirrors is turned back by its weakest axis.
    sign = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0, -1.0, 1.0)
    u[:, :, 2] *= sign[:, None]
    rotation = u @ vt
    stretch = singular[:, 0] + singular[:, 1] + sign * singular[:, 2]
    scale = np.maximum(stretch / max(a.spread, 1e-12), 1e-6)
    shift = means - scale[:, None] * (rotation @ a.mean)
    return Poses(scale, rotation.astype(np.float32), shift.astype(np.float32))


@cache
def _canonical_rigid() -> _Centred:
    return _centred(canonical()[_RIGID])


def speech_shape(landmarks: FloatArray, pose: Pose) -> FloatArray:
    """Lip and jaw landmarks with head pose removed, less the canonical ones: (168,), in eye distances."""
    moved: FloatArray = pose.normalise(landmarks[_SPEECH]) - canonical()[_SPEECH]
    return moved.reshape(-1)


def mouth_centre(pose: Pose) -> FloatArray:
    """Where the canonical mouth lies under this pose, (2,) in pixels: steady while the lips move."""
    centre: FloatArray = pose.project(_canonical_mouth())[0, :2]
    return centre


@cache
def _canonical_mouth() -> FloatArray:
    return np.asarray(canonical()[list(OUTER_LIPS)].mean(0, keepdims=True), np.float32)


def bounding_box(landmarks: FloatArray) -> FloatArray:
    """(x0, y0, x1, y1) in pixels."""
    # Rows of their own: along a row a minimum takes a fifth of what it takes down a column.
    xy = np.array(landmarks.T[:2], np.float32)
    return np.concatenate([np.minimum.reduce(xy, 1), np.maximum.reduce(xy, 1)])


def overlap(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = min(float(a[2]), float(b[2])) - max(float(a[0]), float(b[0]))
    height = min(float(a[3]), float(b[3])) - max(float(a[1]), float(b[1]))
    if width <= 0 or height <= 0:
        return 0.0
    inside = width * height
    return inside / (_area(a) + _area(b) - inside)


def _area(box: FloatArray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))
