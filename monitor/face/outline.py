"""The outline of a face: the landmarks of its eyes, brows, lips, nose and oval as curves.

Pages and reports show of a face this and nothing more: no picture of anybody is stored. The order of points is
part of the API (`worst_pair`, `poses`): the pages draw it knowing only the curves' lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.face.geometry import INNER_LIPS, OUTER_LIPS

COORDINATE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """Landmarks in the order in which they are joined; a closed one ends where it begins."""

    name: str
    points: tuple[int, ...]
    closed: bool = True


def _ring(lips: tuple[int, ...]) -> tuple[int, ...]:
    # Both lips are listed from the same corner.
    return lips[:11] + lips[:10:-1]


CURVES = (
    Curve(
        "face",
        (
            *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
            *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
        ),
    ),
    Curve("left_eye", (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)),
    Curve("right_eye", (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)),
    Curve("left_brow", (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)),
    Curve("right_brow", (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)),
    Curve("outer_lips", _ring(OUTER_LIPS)),
    Curve("inner_lips", _ring(INNER_LIPS)),
    Curve("nose_bridge", (168, 6, 197, 195, 5, 4), closed=False),
    Curve("nostrils", (98, 97, 2, 326, 327), closed=False),
)
OUTLINE = tuple(point for curve in CURVES for point in curve.points)

_OUTLINE_INDEX = np.array(OUTLINE)


def outline(landmarks: NDArray[np.floating]) -> list[list[float]]:
    """Return the outline of landmarks (468, 2 or more) in 0..1 as JSON values: [x, y] for each of `OUTLINE`."""
    points: list[list[float]] = landmarks[_OUTLINE_INDEX, :2].astype(np.float64).round(COORDINATE_DIGITS).tolist()
    return points
