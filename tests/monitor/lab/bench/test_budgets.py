"""Budgets: what keeps them, and how a row says so."""

from __future__ import annotations

import pytest

from monitor.lab.bench.budgets import (
    CORES,
    SCAN,
    Budget,
    Measurement,
    measured,
)


@pytest.mark.parametrize(
    ("budget", "value", "holds", "used"),
    [
        (Budget(2.0), 2.0, True, 1.0),
        (Budget(2.0), 3.0, False, 1.5),
        (Budget(10.0, at_least=True), 10.0, True, 1.0),
        (Budget(10.0, at_least=True), 5.0, False, 2.0),
        (Budget(10.0, at_least=True), 0.0, False, float("inf")),
    ],
)
def test_a_budget_is_kept_up_to_its_limit(budget: Budget, value: float, holds: bool, used: float) -> None:
    assert budget.holds(value) is holds
    assert budget.used(value) == used


def test_a_row_says_how_it_stands() -> None:
    assert measured(CORES, 0.25).state == "ok"
    assert measured(CORES, 0.26).state == "over"
    assert measured(SCAN, 9.9).state == "over"
    assert measured(CORES, None, "why").state == "not measured"
    assert Measurement("free", 1.0, "s").state == "measured"
    assert measured(SCAN, 12.0, "how").as_json() == {
        "name": SCAN,
        "value": 12.0,
        "unit": "x real time",
        "budget": {"limit": 10.0, "at_least": True},
        "state": "ok",
        "note": "how",
    }
    assert Measurement("free", 1.0, "s").as_json()["budget"] is None
    assert str(Budget(50.0)) == "<= 50"
    assert str(Budget(10.0, at_least=True)) == ">= 10"
