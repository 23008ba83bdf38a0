"""How a face is moved, apart from whose it is and how the head is turned: one row of numbers a frame. Pure.

A **motion** row holds K coefficients of expression, in units of one standard deviation, and then the head: yaw, pitch
and roll in radians, x and y in eye distances from the middle of the picture, and the logarithm of the size. The rigid
fit takes head pose out exactly; what is left of the person and of the camera is taken out by `neutral_of`, the
recording's own median, which whoever uses the rows subtracts. Other kinds of coefficients
(`monitor.face.coefficients`) go the same way: they are shapes of another width.
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
from monitor.face.geometry import canonical, fit_pose, rigid_points
from monitor.types import BoolArray, FloatArray
from monitor.window.grid import GRID_HZ

HEAD_SIZE = 6
POINTS = 468
FACE_SHAPE_SIZE = POINTS * 3
RATE = GRID_HZ
LANDMARKS = "landmarks"
ARRAYS = ("mean", "components", "scale", "head")


class BasisError(SidewitnessError):
    """A basis of expressions cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionBasis:
    """What expressions are told in: K orthonormal directions in the space of shapes.

    `mean` (D,), `components` (K, D), `scale` (K,) the standard deviation of each coefficient within recordings, and
    `head` (12,) that of the head and of its velocity, for models that want all columns alike (the contract had none).
    `name` says what the shapes are: "landmarks" (D = 1404) or the kind of coefficients read from files.
    """

    mean: FloatArray
    components: FloatArray
    scale: FloatArray
    head: FloatArray
    name: str = LANDMARKS

    @property
    def size(self) -> int:
        """How many coefficients there are: K."""
        return len(self.components)

    @property
    def width(self) -> int:
        """How many numbers a motion row has: K + 6."""
        return self.size + HEAD_SIZE

    @property
    def spread(self) -> FloatArray:
        """Standard deviation of every column of `with_velocity`, (K + 12,): one for the coefficients."""
        return np.concatenate([np.ones(self.size, np.float32), self.head])

    @property
    def key(self) -> str:
        """Digest of the basis, 12 hexadecimal digits: what rows made with it depend on."""
        whole = hashlib.sha256(self.name.encode())
        for name in ARRAYS:
            whole.update(np.ascontiguousarray(getattr(self, name), np.float32).tobytes())
        return whole.hexdigest()[:12]

    def __call__(self, shapes: NDArray[np.floating]) -> FloatArray:
        """Coefficients (..., K) of levelled shapes (..., D); raises `BasisError` when they are of another width."""
        if shapes.shape[-1] != len(self.mean):
            raise BasisError(
                f"shapes of {shapes.shape[-1]} numbers do not fit a basis of {len(self.mean)} ({self.name}): "
                "use the basis that was made from such shapes"
            )
        told = (np.asarray(shapes, np.float32) - self.mean) @ self.components.T / self.scale
        return np.asarray(told, np.float32)

    def to_bytes(self) -> bytes:
        """Write as .npz without pickled objects."""
        file = io.BytesIO()
        arrays = {name: np.asarray(getattr(self, name), np.float32) for name in ARRAYS}
        np.savez(file, allow_pickle=False, name=np.array(self.name), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> ExpressionBasis:
        """Read what `to_bytes` wrote; raises `BasisError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                mean, components, scale, head = (np.asarray(held[name], np.float32) for name in ARRAYS)
                basis = cls(mean, components, scale, head, str(held["name"]))
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise BasisError(f"not a basis of expressions ({type(error).__name__}): reinstall the model pack") from None
        basis._check()
        return basis

    def _check(self) -> None:
        k, d = self.components.shape if self.components.ndim == 2 else (0, 0)
        fits = k > 0 and self.mean.shape == (d,) and self.scale.shape == (k,) and self.head.shape == (2 * HEAD_SIZE,)
        if not fits or not all(np.isfinite(a).all() for a in (getattr(self, name) for name in ARRAYS)):
            raise BasisError("the arrays of the basis do not fit each other: reinstall the model pack")
        if not ((self.scale > 0).all() and (self.head > 0).all()):
            raise BasisError("the basis has a column that never moves: make it anew from more recordings")


def remove_head_pose(landmarks: FloatArray, frame: tuple[float, float] = (0.0, 2.0)) -> tuple[FloatArray, FloatArray]:
    """Take head pose out of `landmarks` (468, 3): the shape less the canonical face (1404,), and the head (6,).

    The fit is of this frame alone: a smoothed pose lags behind a turning head, and the lag would look like expression.
    `frame` is the picture's width and height: place is told from its middle and size by its height, so that a call
    that changes its resolution moves nobody (the contract had no such argument; the default leaves pixels as they
    are).
    """
    pose = fit_pose(rigid_points(landmarks))
    shape = (pose.normalise(landmarks) - canonical()).reshape(-1)
    width, height = frame
    middle = np.array([width / 2, height / 2 if width else 0.0])
    place = (pose.shift[:2] - middle) / pose.scale
    yaw, pitch, roll = np.radians(pose.angles)
    head = np.array([yaw, pitch, roll, *place, np.log(2 * pose.scale / height)], np.float32)
    return shape, head


def motion_row(landmarks: FloatArray, basis: ExpressionBasis, frame: tuple[float, float] = (0.0, 2.0)) -> FloatArray:
    """Motion row (K + 6,) of one face in one frame: what the live path does with every picture."""
    shape, head = remove_head_pose(landmarks, frame)
    return np.concatenate([basis(shape), head])


def neutral_of(motion: FloatArray, valid: BoolArray) -> FloatArray:
    """Median (M,) of the valid rows of `motion` (T, M); of all rows when none is valid."""
    rows = motion[valid] if valid.any() else motion
    middle: FloatArray = np.median(rows, axis=0).astype(np.float32)
    return middle


def with_velocity(motion: FloatArray, valid: BoolArray) -> FloatArray:
    """Put the head's velocity, in units a second, beside `motion` (T, M): (T, M + 6).

    It is the difference of the two neighbours; zero where the step or one of them is not valid.
    """
    head = motion[:, -HEAD_SIZE:]
    speed = np.zeros_like(head)
    if len(head) > 2:
        known = valid[:-2] & valid[1:-1] & valid[2:]
        speed[1:-1] = (head[2:] - head[:-2]) * (GRID_HZ / 2) * known[:, None]
    return np.concatenate([motion, speed], axis=1)


def explained_variance(basis: ExpressionBasis, shapes: FloatArray, neutral: FloatArray) -> float:
    """Share of the variance of `shapes` (T, D) about `neutral` (D,) that the basis tells; 1 for what never moves."""
    moved: NDArray[np.float64] = np.asarray(shapes, np.float64) - neutral
    total = float((moved**2).sum())
    told = moved @ basis.components.T.astype(np.float64)
    return float((told**2).sum()) / total if total > 0 else 1.0
