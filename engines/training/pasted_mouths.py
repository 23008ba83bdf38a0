"""Pasted-back mouths: the lower face of somebody at one moment laid over their own face at another, as lip-sync does.

What such methods leave is what is made here: the mouth was resampled once more, comes out of a small picture, is softer
or coded apart, ends at a seam, and is laid on anew in every picture. What is said does not matter to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from engines.training.pseudo import SCHEMES, hull, soften
from engines.training.received import jpeg

FloatArray = NDArray[np.float32]
Picture = NDArray[np.uint8]

# Points that a moving mouth moves little: eyes, brows, bridge of the nose and sides of the face.
_STEADY = (33, 133, 362, 263, 70, 300, 168, 6, 4, 234, 454, 127, 356)
_MOUTH_AND_CHIN = SCHEMES["lower"]
_JITTER_PIXELS = 0.4


@dataclass(frozen=True, slots=True)
class Paste:
    """How a mouth is laid on.

    `box` takes a rectangle round it, as Wav2Lip does, and not its outline; `small` is the share of its pixels' sides
    that is kept, `blur` in pixels, `quality` of JPEG for the mouth alone (0: none), `colour` what is added to each
    channel, `ratio` how far it covers what lies under it.
    """

    box: bool
    small: float
    blur: float
    quality: int
    colour: tuple[float, float, float]
    ratio: float

    @classmethod
    def draw(cls, random: np.random.Generator) -> Paste:
        """Draw a way that published methods have."""
        red, green, blue = (float(n) for n in random.normal(0, 2.0, 3))
        return cls(
            box=bool(random.random() < 0.5),
            small=float(random.choice([1.0, *random.uniform(0.3, 0.9, 2)])),
            blur=float(random.choice([0.0, float(random.uniform(0.3, 1.5))])),
            quality=int(random.choice([0, int(random.integers(40, 95))])),
            colour=(red, green, blue),
            ratio=float(random.choice([0.7, 0.85, 1.0, 1.0, 1.0])),
        )


def paste(
    picture: Picture,
    landmarks: FloatArray,
    source: Picture,
    source_landmarks: FloatArray,
    how: Paste,
    random: np.random.Generator,
) -> Picture:
    """Lay the mouth of `source` over `picture`, both (S, S, 3) uint8 with landmarks (468, 2) in their pixels."""
    size = len(picture)
    matrix = _similarity(landmarks[list(_STEADY)], source_landmarks[list(_STEADY)])
    matrix[:, 2] += random.normal(0, _JITTER_PIXELS, 2)
    moved = Image.fromarray(source).transform(
        (size, size), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR
    )
    if how.small < 1:
        side = max(int(size * how.small), 16)
        moved = moved.resize((side, side), Image.Resampling.BOX).resize((size, size), Image.Resampling.BICUBIC)
    if how.blur:
        moved = moved.filter(ImageFilter.GaussianBlur(how.blur))
    if how.quality:
        moved = jpeg(moved, how.quality)
    # The outline of the mouth that is shown, which may be wider open than the one that it covers.
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    points = source_landmarks[list(_MOUTH_AND_CHIN)] @ inverse[:, :2].T + inverse[:, 2]
    mask = _box(points, size) if how.box else hull(points.astype(np.float32), size)
    weight = (soften(mask, random) * np.float32(how.ratio))[..., None]
    shown = np.asarray(moved, np.float32) + np.array(how.colour, np.float32)
    return np.asarray(np.clip(picture + weight * (shown - picture) + 0.5, 0, 255), np.uint8)


def _similarity(points: FloatArray, to: FloatArray) -> NDArray[np.float64]:
    """Find turn, scale and shift (2, 3) that bring points (N, 2) to others, by least squares."""
    here, there = points.mean(0), to.mean(0)
    a, b = (points - here).astype(np.float64), (to - there).astype(np.float64)
    size = float((a**2).sum()) or 1.0
    cos, sin = float((a * b).sum()) / size, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([turn, (there - turn @ here)[:, None]])


def _box(points: NDArray[np.floating], size: int) -> FloatArray:
    (left, top), (right, bottom) = points.min(0), points.max(0)
    grid = np.arange(size)
    return np.asarray(
        ((grid >= top) & (grid <= bottom))[:, None] & ((grid >= left) & (grid <= right))[None], np.float32
    )
