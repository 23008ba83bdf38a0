"""Error rates of comparisons, on distances whose rates are known by counting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engines.metrics import eer
from monitor.lab.metrics.verification import (
    Pairs,
    det,
    distances,
    draw_pairs,
    eer_interval,
    eer_threshold,
    every_pair,
    fnmr_at,
    rounded_summary,
    verify,
)

PEOPLE = [f"person {n // 2}" for n in range(20)]


def pairs_of(same: int, different: int) -> Pairs:
    count = same + different
    return Pairs(np.arange(count), np.arange(count), np.arange(count) < same)


def test_drawn_pairs_are_of_one_person_and_of_two() -> None:
    subjects = [*PEOPLE, "alone"]
    pairs = draw_pairs(subjects, 6, 30, seed=1)
    assert pairs.same.tolist() == [True] * 6 + [False] * 30
    names = np.array(subjects)
    assert ((names[pairs.first] == names[pairs.second]) == pairs.same).all()
    assert (pairs.first != pairs.second).all()
    assert len({names[row] for row in pairs.first[:6]}) == 6
    assert "alone" not in names[pairs.first].tolist() + names[pairs.second].tolist()
    met = {tuple(sorted((names[a], names[b]))) for a, b in zip(pairs.first[6:], pairs.second[6:], strict=True)}
    assert len(met) == 30


def test_the_seed_draws_the_pairs() -> None:
    one, again, other = (draw_pairs(PEOPLE, 5, 9, seed) for seed in (3, 3, 4))
    assert one.first.tolist() == again.first.tolist()
    assert one.first.tolist() != other.first.tolist()


def test_no_more_pairs_are_drawn_than_there_are() -> None:
    pairs = draw_pairs(["a", "a", "b", "b", "c", "c"], 400, 600, 0)
    assert (int(pairs.same.sum()), len(pairs)) == (3, 6)
    assert len(draw_pairs(["a", "b"], 4, 6, 0)) == 0


def test_every_pair_is_there_once() -> None:
    pairs = every_pair(["a", "b", "a"])
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), strict=True)) == [
        (0, 1, False),
        (0, 2, True),
        (1, 2, False),
    ]


def test_distances_are_euclidean_and_cross_two_tables() -> None:
    vectors = np.array([[0, 0], [3, 4]], np.float32)
    pairs = Pairs(np.array([0, 1, 0]), np.array([1, 1, 0]), np.array([True, True, False]))
    assert distances(vectors, vectors, pairs).tolist() == [5, 0, 0]
    assert distances(vectors, vectors + 1, pairs)[2] == pytest.approx(math.sqrt(2))
    assert len(distances(vectors, vectors, Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool)))) == 0


def test_rates_at_a_threshold_are_counted() -> None:
    same, different = np.array([0.1, 0.2, 0.3, 0.65]), np.array([0.5, 0.6, 0.7, 0.8])
    assert fnmr_at(same, different, 0.25) == (0.25, 0.6)
    assert fnmr_at(same, different, 0.5) == (0.0, 0.7)
    assert fnmr_at(same, different, 0.0) == (0.25, 0.5)
    assert fnmr_at(same, different, 1.0) == (0.0, math.inf)


def test_the_curve_runs_from_lax_to_strict() -> None:
    fmr, fnmr = det(np.array([0.1, 0.4]), np.array([0.3, 0.9]))
    assert (fmr[0], fnmr[0]) == (1, 0)
    assert (fmr[-1], fnmr[-1]) == (0, 1)
    assert (np.diff(fmr) <= 0).all()
    assert (np.diff(fnmr) >= 0).all()


def test_the_threshold_of_the_eer_has_that_error() -> None:
    random = np.random.default_rng(0)
    same, different = random.normal(0.3, 0.05, 400), random.normal(0.5, 0.05, 600)
    at = eer_threshold(same, different)
    errors = ((same >= at).mean(), (different < at).mean())
    assert sum(errors) / 2 == pytest.approx(eer(different, same))
    assert abs(errors[0] - errors[1]) < 0.01


def test_what_is_told_of_distances() -> None:
    told = verify(np.array([0.1, 0.2, 0.6, 0.5, 0.7, 0.8]), pairs_of(3, 3))
    assert (told["same"], told["different"]) == (3, 3)
    assert told["auc"] == pytest.approx(8 / 9)
    row = told["fnmr_at_fmr_0.01"]
    assert (row["fnmr"], row["threshold"], row["resolved"]) == (pytest.approx(1 / 3), 0.5, False)
    assert row["low"] < 1 / 3 < row["high"]
    assert verify(np.array([0.1]), pairs_of(1, 0)) == {"same": 1, "different": 0}
    many = np.concatenate([np.full(5, 0.1), np.linspace(0.5, 0.9, 1000)])
    assert verify(many, pairs_of(5, 1000))["fnmr_at_fmr_0.001"]["resolved"]


def test_the_interval_draws_people() -> None:
    pairs = draw_pairs(PEOPLE, 10, 40, 0)
    apart = np.where(pairs.same, 0.2, 0.8)
    assert eer_interval(apart, pairs, PEOPLE, rounds=50) == (0, 0)
    random = np.random.default_rng(0)
    mixed = apart + random.normal(0, 0.35, len(pairs))
    low, high = eer_interval(mixed, pairs, PEOPLE, rounds=200)
    assert low < eer(mixed[~pairs.same], mixed[pairs.same]) < high
    assert (low, high) == eer_interval(mixed, pairs, PEOPLE, rounds=200)


def test_an_interval_of_nothing_is_no_number() -> None:
    pairs = Pairs(np.array([0]), np.array([1]), np.array([True]))
    assert all(math.isnan(end) for end in eer_interval(np.array([0.1]), pairs, ["a", "a"], rounds=5))


def test_numbers_are_cut_for_people() -> None:
    told = {"a": 0.123456, "b": math.inf, "c": {"d": math.nan, "e": 3}, "f": True}
    assert rounded_summary(told) == {"a": 0.1235, "b": None, "c": {"d": None, "e": 3}, "f": True}
