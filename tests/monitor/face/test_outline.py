from __future__ import annotations

import json
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from monitor.face.geometry import canonical
from monitor.face.outline import CURVES, OUTLINE, outline

Point = NDArray[np.float64]


def test_each_landmark_is_drawn_once() -> None:
    assert len(set(OUTLINE)) == len(OUTLINE)
    assert all(0 <= point < 468 for point in OUTLINE)
    assert [len(curve.points) for curve in CURVES] == [36, 16, 16, 10, 10, 20, 20, 6, 5]


def test_neighbours_on_a_curve_are_neighbours_on_the_face() -> None:
    face = canonical()[:, :2]
    width = np.ptp(face[:, 0])
    for curve in CURVES:
        points = face[list(curve.points)]
        ends = np.roll(points, -1, axis=0) if curve.closed else points[1:]
        steps = np.linalg.norm(points[: len(ends)] - ends, axis=1)
        assert steps.max() < 0.16 * width, curve.name


def test_no_curve_crosses_itself() -> None:
    face = canonical()[:, :2].astype(np.float64)
    for curve in CURVES:
        points = face[list(curve.points)]
        ends = np.roll(points, -1, axis=0) if curve.closed else points[1:]
        steps = list(zip(points, ends, strict=False))
        apart = [(a, b) for a, b in combinations(steps, 2) if not set(map(tuple, a)) & set(map(tuple, b))]
        assert not any(crosses(*a, *b) for a, b in apart), curve.name


def crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segment from a to b crosses the one from c to d."""

    def side(p: Point, q: Point, r: Point) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def test_the_outline_is_json_in_the_order_of_the_curves() -> None:
    landmarks = np.arange(468 * 3, dtype=np.float16).reshape(468, 3) / np.float16(2000)
    points = outline(landmarks)
    assert json.loads(json.dumps(points)) == points
    assert len(points) == len(OUTLINE)
    assert points[0] == [round(float(n), 4) for n in landmarks[10, :2]]
