"""Intervals against published tables, and what they say of next to nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.metrics.intervals import bootstrap_interval, mean_interval, poisson_interval, resample, wilson
from monitor.lab.metrics.numbers import rounded


def test_wilsons_interval() -> None:
    low, high = wilson(2, 400)
    assert low == pytest.approx(0.00137, abs=1e-5)
    assert high == pytest.approx(0.01804, abs=1e-5)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)


def test_wilsons_interval_holds_the_share() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    for wins, count in ((0, 5), (5, 5), (3.5, 7)):
        low, high = wilson(wins, count)
        assert 0 <= low <= wins / count <= high <= 1


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.3639, 121.6271)]
)
def test_the_interval_of_a_rate_is_the_exact_one(count: int, low: float, high: float) -> None:
    # Garwood 1936; tabulated for instance in Ulm, American Journal of Epidemiology 1990.
    assert poisson_interval(count, 1.0) == pytest.approx((low, high), abs=1e-3)
    assert poisson_interval(count, 2.0) == pytest.approx((low / 2, high / 2), abs=1e-3)


def test_without_exposure_a_rate_may_be_anything() -> None:
    assert poisson_interval(0, 0.0) == (0.0, float("inf"))


@given(st.integers(0, 60), st.floats(0.01, 1000))
def test_an_interval_holds_its_rate(count: int, exposure: float) -> None:
    low, high = poisson_interval(count, exposure)
    assert low <= count / exposure <= high


def test_every_round_draws_as_many_as_there_are() -> None:
    rounds = list(resample(5, 40))
    assert [len(drawn) for drawn in rounds] == [5] * 40
    assert set(np.concatenate(rounds).tolist()) == set(range(5))
    assert all((a == b).all() for a, b in zip(rounds, resample(5, 40), strict=True))
    assert any((a != b).any() for a, b in zip(rounds, resample(5, 40, seed=1), strict=True))
    assert list(resample(0, 40)) == []


def test_a_bootstrap_without_rounds_has_no_interval() -> None:
    assert all(map(math.isnan, bootstrap_interval([])))
    assert bootstrap_interval(np.arange(1001.0)) == (25.0, 975.0)


def test_the_interval_of_a_mean_needs_two_people() -> None:
    assert all(map(math.isnan, mean_interval([1.0], 50)))
    assert mean_interval([1.0, 1.0], 50) == (1.0, 1.0)
    low, high = mean_interval([0.0, 1.0, 2.0, 3.0], 2000)
    assert 0 <= low < 1.5 < high <= 3


def test_numbers_that_json_has_not_are_none() -> None:
    assert rounded(0.123456) == 0.1235
    assert rounded(1.236, 2) == 1.24
    assert rounded(math.nan) is rounded(math.inf) is None
