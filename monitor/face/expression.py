"""Facial expression apart from identity and head pose: one motion row a frame. Pure.

A **motion** row holds K expression coefficients, in standard deviations, and then the head: yaw, pitch and roll in
radians, x and y in eye distances from the centre of the picture, and the natural logarithm of the size. A rigid fit
removes head pose; what is left of person and camera is removed by subtracting `neutral_of`, the recording's median.
Other kinds of coefficients (`monitor.face.coefficients`) are treated alike: they are shapes of another width.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.face.geometry import LANDMARK_COUNT, canonical, fit_poses, rigid_points
from monitor.types import BoolArray, FloatArray
from monitor.window.grid import GRID_HZ

HEAD_SIZE = 6
FACE_SHAPE_SIZE = LANDMARK_COUNT * 3
LANDMARKS = "landmarks"
ARRAY_NAMES = ("mean", "components", "scale", "head")


class BasisError(SidewitnessError):
    """A basis of expressions cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionBasis:
    """A linear basis of expressions: K orthonormal components in the space of shapes (D,).

    `mean` (D,), `components` (K, D), `scale` (K,) the standard deviation of each coefficient within recordings, and
    `head` (12,) that of the head pose and of its velocity, by which models normalise their inputs. `name` is the kind
    of shapes: "landmarks" (D = 1404) or the kind of coefficients read from files.
    """

    mean: FloatArray
    components: FloatArray
    scale: FloatArray
    head: FloatArray
    name: str = LANDMARKS

    @property
    def size(self) -> int:
        """Number of coefficients: K."""
        return len(self.components)

    @property
    def width(self) -> int:
        """Width of a motion row: K + 6."""
        return self.size + HEAD_SIZE

    @property
    def spread(self) -> FloatArray:
        """Standard deviation of every column of `with_velocity`, (K + 12,): one for the coefficients."""
        return np.concatenate([np.ones(self.size, np.float32), self.head])

    @property
    def key(self) -> str:
        """Digest of the basis, 12 hexadecimal digits: rows are comparable where it is equal."""
        digest = hashlib.sha256(self.name.encode())
        for name in ARRAY_NAMES:
            digest.update(np.ascontiguousarray(getattr(self, name), np.float32).tobytes())
        return digest.hexdigest()[:12]

    def __call__(self, shapes: NDArray[np.floating]) -> FloatArray:
        """Project shapes without head pose (..., D) to coefficients (..., K); raises `BasisError` for another width."""
        if shapes.shape[-1] != len(self.mean):
            raise BasisError(
                f"shapes of {shapes.shape[-1]} numbers do not fit a basis of {len(self.mean)} ({self.name}): "
                "use the basis that was made from such shapes"
            )
        coefficients = (np.asarray(shapes, np.float32) - self.mean) @ self.components.T / self.scale
        return np.asarray(coefficients, np.float32)

    def to_bytes(self) -> bytes:
        """Write as .npz without pickled objects."""
        file = io.BytesIO()
        arrays = {name: np.asarray(getattr(self, name), np.float32) for name in ARRAY_NAMES}
        np.savez(file, allow_pickle=False, name=np.array(self.name), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> ExpressionBasis:
        """Read what `to_bytes` wrote; raises `BasisError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                mean, components, scale, head = (np.asarray(arrays[name], np.float32) for name in ARRAY_NAMES)
                basis = cls(mean, components, scale, head, str(arrays["name"]))
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise BasisError(f"not a basis of expressions ({type(error).__name__}): reinstall the model pack") from None
        basis._check()
        return basis

    def _check(self) -> None:
        k, d = self.components.shape if self.components.ndim == 2 else (0, 0)
        fits = k > 0 and self.mean.shape == (d,) and self.scale.shape == (k,) and self.head.shape == (2 * HEAD_SIZE,)
        if not fits or not all(np.isfinite(a).all() for a in (getattr(self, name) for name in ARRAY_NAMES)):
            raise BasisError("the arrays of the basis do not fit each other: reinstall the model pack")
        if not ((self.scale > 0).all() and (self.head > 0).all()):
            raise BasisError("the basis has a column that never moves: make it anew from more recordings")


def remove_head_pose(landmarks: FloatArray, frame: tuple[float, float] = (0.0, 2.0)) -> tuple[FloatArray, FloatArray]:
    """Split `landmarks` (468, 3) into the shape without head pose, less the canonical face (1404,), and the head (6,).

    The fit is of this frame alone: a smoothed pose lags behind a turning head, and the lag would look like expression.
    `frame` is the picture's width and height in pixels: position is measured from its centre and size relative to its
    height, so that a change of resolution moves nobody. The default leaves pixels as they are.
    """
    shapes, heads = _without_head_pose(landmarks[None], np.array([frame], np.float64))
    return shapes[0], heads[0]


def _without_head_pose(landmarks: FloatArray, frames: NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    """Split `landmarks` (N, 468, 3) in frames (N, 2) into shapes (N, 1404) and heads (N, 6)."""
    poses = fit_poses(rigid_points(landmarks))
    shapes = (poses.normalise(landmarks) - canonical()).reshape(len(landmarks), -1)
    centres = np.where(frames[:, :1] > 0.0, frames / 2, 0.0)
    places = (poses.shift[:, :2] - centres) / poses.scale[:, None]
    sizes = np.log(2 * poses.scale / frames[:, 1])
    return shapes, np.column_stack([poses.angles, places, sizes]).astype(np.float32)


def motion_rows(landmarks: FloatArray, basis: ExpressionBasis, frames: NDArray[np.float64]) -> FloatArray:
    """Compute the motion rows (N, K + 6) of faces `landmarks` (N, 468, 3) in `frames` (N, 2) of (width, height) pixels.

    Each is computed of its own frame alone; together they take a fraction of what they take one by one.
    """
    shapes, heads = _without_head_pose(landmarks, frames)
    return np.concatenate([basis(shapes), heads], axis=1)


def neutral_of(motion: FloatArray, valid: BoolArray) -> FloatArray:
    """Compute the median (M,) of the valid rows of `motion` (T, M); of all rows when none is valid."""
    rows = motion[valid] if valid.any() else motion
    centre: FloatArray = np.median(rows, axis=0).astype(np.float32)
    return centre


def with_velocity(motion: FloatArray, valid: BoolArray) -> FloatArray:
    """Append the head's velocity, in units a second, to `motion` (T, M): (T, M + 6).

    It is the central difference; zero where the step or one of its neighbours is not valid.
    """
    head = motion[:, -HEAD_SIZE:]
    velocity = np.zeros_like(head)
    if len(head) > 2:
        usable = valid[:-2] & valid[1:-1] & valid[2:]
        velocity[1:-1] = (head[2:] - head[:-2]) * (GRID_HZ / 2) * usable[:, None]
    return np.concatenate([motion, velocity], axis=1)


def explained_variance(basis: ExpressionBasis, shapes: FloatArray, neutral: FloatArray) -> float:
    """Share of the variance of `shapes` (T, D) about `neutral` (D,) that the basis explains; 1 where nothing moves."""
    deviations: NDArray[np.float64] = np.asarray(shapes, np.float64) - neutral
    total = float((deviations**2).sum())
    coefficients = deviations @ basis.components.T.astype(np.float64)
    return float((coefficients**2).sum()) / total if total > 0 else 1.0
