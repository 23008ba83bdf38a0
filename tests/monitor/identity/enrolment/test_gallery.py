"""The gallery: places shared out over clips, and moments that are good, usual and different."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.face.geometry import Pose, canonical
from monitor.face.shot import FaceShot
from monitor.identity.enrolment.gallery import MIN_SHOTS, choose, features, share_out, spread


def shot(yaw: float = 0.0, sharpness: float = 0.5, time: float = 0.0) -> FaceShot:
    """A made-up look, turned by `yaw` degrees."""
    turn = np.radians(yaw)
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]], np.float32)
    pose = Pose(80.0, rotation, np.full(3, 112, np.float32))
    return FaceShot(time, np.zeros((224, 224, 3), np.uint8), pose.project(canonical()), pose, 150.0, sharpness)


@given(st.lists(st.integers(0, 200), max_size=30), st.integers(0, 90))
def test_places_are_shared_out(counts: list[int], places: int) -> None:
    quotas = share_out(counts, places)
    if sum(count > 0 for count in counts) <= places // MIN_SHOTS:
        assert sum(quotas) == min(places, sum(counts))
    assert sum(quotas) <= places
    for count, quota in zip(counts, quotas, strict=True):
        assert quota <= count
        assert quota == 0 or quota >= min(count, MIN_SHOTS, places)
        # Nobody has two places more than a clip that could fill another one.
        assert quota in (0, count) or quota >= max(quotas) - 1


@given(st.lists(st.integers(1, 200), min_size=1, max_size=30), st.integers(1, 90))
def test_the_richest_clips_take_part(counts: list[int], places: int) -> None:
    quotas = share_out(counts, places)
    taking_part = [count for count, quota in zip(counts, quotas, strict=True) if quota]
    assert sorted(taking_part) == sorted(counts)[-max(places // MIN_SHOTS, 1) :]


def test_a_clip_with_few_moments_gets_fewer_than_the_minimum() -> None:
    assert share_out([MIN_SHOTS - 1, 0, 50], 30) == [MIN_SHOTS - 1, 0, 26]
    assert share_out([2, 2], 30) == [2, 2]
    assert share_out([40, 50], MIN_SHOTS - 2) == [0, MIN_SHOTS - 2]


def test_small_clips_leave_their_places_to_others() -> None:
    assert share_out([3, 100, 50], 63) == [3, 30, 30]
    assert share_out([100], 64) == [64]
    many = share_out([6] * 24, 64)
    assert sum(many) == 64
    assert {quota for quota in many if quota} <= {5, 6}


def test_different_moments_are_taken_and_blurred_ones_are_not() -> None:
    yaws = [0.0] * 40 + [30.0, -30.0] + [0.0] * 8
    shots = [shot(yaw, 0.1 if n % 10 == 5 else 0.5, n / 2) for n, yaw in enumerate(yaws)]
    (rows,) = choose([shots], 10)
    assert len(rows) == 10
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert {40, 41} <= set(rows.tolist())
    assert not {5, 15, 25, 35, 45} & set(rows.tolist())


def test_all_is_taken_where_there_is_little() -> None:
    rows, none, few = choose([[shot(n) for n in range(7)], [], [shot(), shot(3.0)]], 64)
    assert rows.tolist() == list(range(7))
    assert none.tolist() == []
    assert few.tolist() == [0, 1]


def test_a_turn_of_ten_degrees_is_a_step() -> None:
    points = features([shot(0.0), shot(10.0)])
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(1.0, abs=0.05)


def test_what_is_farthest_comes_next() -> None:
    points = np.array([[0.0], [1.0], [10.0], [4.0], [6.0]], np.float32)
    assert spread(points, np.array([0]), 2).tolist() == [0, 2]
    assert spread(points, np.array([0]), 3).tolist() == [0, 2, 3]
    assert spread(points, np.array([0, 1, 2]), 2).tolist() == [0, 1]
    assert spread(points, np.array([0]), 9).tolist() == [0, 1, 2, 3, 4]
