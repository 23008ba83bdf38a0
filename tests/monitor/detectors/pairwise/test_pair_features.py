from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detectors.pairwise.pair_features import (
    ABS,
    CUBED,
    FEATURES,
    SQUARED,
    SUB,
    Feature,
    distances,
    far_pairs,
    pair_features,
    partners,
)
from tests.monitor.people import looks


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(ABS, [3, 4, 0]), (SUB, [3, -4, 0]), (SQUARED, [9, 16, 0]), (CUBED, [27, -64, 0])],
)
def test_the_four_ways_of_combining(kind: Feature, expected: list[float]) -> None:
    a, b = np.array([[4, 1, 2]], np.float32), np.array([[1, 5, 2]], np.float32)
    want = np.array(expected) / np.linalg.norm(expected)
    assert pair_features(a, b, kind)[0] == pytest.approx(want, abs=1e-6)


@given(st.sampled_from(FEATURES), st.floats(1e-12, 1e12), st.integers(0, 99))
def test_length_is_one_whatever_the_scale(kind: Feature, scale: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = (random.standard_normal((4, 7)).astype(np.float32) * np.float32(scale) for _ in range(2))
    assert np.linalg.norm(pair_features(a, b, kind), axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", FEATURES)
def test_equal_sides_give_zeros(kind: Feature) -> None:
    same = np.ones((2, 5), np.float32)
    assert (pair_features(same, same, kind) == 0).all()


def test_far_pairs_are_the_farther_half_and_no_row_meets_itself() -> None:
    vectors = looks(12)
    apart = distances(vectors, vectors)
    first, second = far_pairs(vectors, 20)
    assert (first < second).all()
    assert len(first) == 20
    assert apart[first, second].min() >= np.median(apart[np.triu_indices(12, 1)])
    again = far_pairs(vectors, 20)
    assert (again[0] == first).all()
    assert (again[1] == second).all()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rows_make_no_pair(count: int) -> None:
    assert [len(side) for side in far_pairs(looks(count), 5)] == [0, 0]


def test_partners_are_the_nearest_or_the_farthest() -> None:
    live, gallery = looks(3, seed=1), looks(9, seed=2)
    apart = distances(live, gallery)
    rows, near = partners(live, gallery, 1)
    _, far = partners(live, gallery, 1, far=True)
    assert rows.tolist() == [0, 1, 2]
    assert (near == apart.argmin(1)).all()
    assert (far == apart.argmax(1)).all()
    assert len(partners(live, gallery, 50)[1]) == 27


def test_a_turn_of_ten_degrees_is_one_apart() -> None:
    a = looks(1)
    turned = replace(a, angles=a.angles + np.array([[10, 0, 0]], np.float32))
    assert distances(a, turned)[0, 0] == pytest.approx(1, abs=1e-3)
