"""Two sequential detectors and their mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.edetector import EDetector
from monitor.decision.evidence import Evidence

VALUES = st.lists(st.one_of(st.none(), st.floats(0.0, 50.0)), max_size=40)


def nothing(cap: float = 1e60) -> Evidence:
    return Evidence(EDetector.start(5.0, 0.5, cap), EDetector.start(2.0, 0.5, cap))


def fed(windows: list[float | None], brief: list[float | None]) -> Evidence:
    evidence = nothing()
    for hop, (e_value, short) in enumerate(zip(windows, brief, strict=True)):
        evidence = evidence.advance(hop / 2, e_value, short)
    return evidence


def test_nothing_is_no_evidence() -> None:
    assert nothing().statistic == 0
    assert fed([None] * 3, [None] * 3) == nothing()


def test_what_was_never_given_anything_takes_no_part() -> None:
    whole, brief = fed([2.0] * 10, [None] * 10), fed([None] * 10, [2.0] * 10)
    assert whole.statistic == whole.windows.statistic == 2.0
    # Two seconds of five: there are as many more brief windows in an hour.
    assert brief.statistic == pytest.approx(0.4 * brief.brief.statistic)
    assert brief.brief.statistic > 5.0
    both = fed([2.0] * 10, [2.0] * 10)
    assert both.statistic == pytest.approx((whole.statistic + brief.statistic) / 2)


def test_a_bet_that_was_lost_still_takes_part() -> None:
    assert fed([8.0], [0.0]).statistic == pytest.approx(0.4)


@given(VALUES, st.floats(0.0, 100.0))
def test_nothing_rises_above_a_cap(values: list[float | None], level: float) -> None:
    evidence = fed(values, values)
    capped, lowered = evidence.capped(level), evidence.lowered(level)
    for one in (capped, lowered):
        assert max(*one.windows.phases, *(0.4 * phase for phase in one.brief.phases)) <= level + 1e-9
        assert one.statistic <= evidence.statistic
    for hop in range(20):
        capped = capped.advance(100 + hop / 2, 9.0, 9.0)
    assert max(*capped.windows.phases, *(0.4 * phase for phase in capped.brief.phases)) <= level + 1e-9


@given(VALUES, VALUES)
def test_the_higher_of_two_is_higher_in_every_phase(one: list[float | None], other: list[float | None]) -> None:
    first, second = fed(one, one), fed(other, other)
    higher = first.higher(second)
    for name in ("windows", "brief"):
        phases = [getattr(each, name).phases for each in (first, second, higher)]
        assert phases[2] == tuple(map(max, phases[0], phases[1]))
    assert higher.windows.judged == first.windows.judged


def test_two_phases_of_either_must_agree() -> None:
    brief = fed([None] * 4, [9.0, 1.0, 4.0, 1.0])
    assert brief.agreed == pytest.approx(0.4 * 4.0)
    assert fed([None] * 4, [9.0, 1.0, None, 1.0]).agreed == pytest.approx(0.4)


def test_one_threshold_means_one_rate_for_both() -> None:
    """Bets that neither win nor lose raise either statistic by one a window: as much in an hour, in its own windows."""
    hour = 7200
    whole, brief = fed([1.0] * hour, [None] * hour), fed([None] * hour, [1.0] * hour)
    assert whole.statistic == pytest.approx(720)
    assert brief.brief.statistic == pytest.approx(1800)
    assert brief.statistic == pytest.approx(whole.statistic)
