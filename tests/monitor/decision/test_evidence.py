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


def alone(**bets: list[float | None]) -> Evidence:
    """Evidence of detectors that stand alone, a bet a hop each."""
    evidence = nothing()
    for hop in range(max(map(len, bets.values()))):
        told = {name: value for name, values in bets.items() if (value := values[hop]) is not None}
        evidence = evidence.advance(hop / 2, 2.0, None, told)
    return evidence


def test_half_of_the_weight_is_that_of_all_together_and_the_rest_is_shared() -> None:
    evidence = alone(face=[8.0] * 10, voice=[None] * 5 + [6.0] * 5)
    assert evidence.alone["face"].statistic == 8.0
    # Whoever falls silent loses nothing of what was added up.
    assert evidence.alone["voice"].statistic == 3.0
    assert evidence.statistic == pytest.approx(0.5 * 2.0 + 0.5 * (8.0 + 3.0) / 2)
    only = nothing().advance(0.0, None, None, {"face": 9.0})
    assert only.statistic == only.alone["face"].statistic == 0.9


def test_two_aspects_that_speak_against_somebody_agree_without_a_second_phase() -> None:
    lone = alone(face=[30.0] * 11, voice=[1.0] * 11)
    assert lone.agreed == 30.0
    both = alone(face=[30.0] * 11, voice=[12.0] * 11)
    together = both.advance(20.0, 500.0, None)
    assert together.windows.statistic > 100
    assert together.agreed == together.windows.statistic
    assert lone.advance(20.0, 500.0, None).agreed == 30.0


def test_what_stands_alone_is_capped_lowered_and_compared_with_the_rest() -> None:
    one, other = alone(face=[8.0] * 10), alone(face=[2.0] * 10, voice=[5.0] * 10)
    higher = one.higher(other)
    assert {name: detector.statistic for name, detector in higher.alone.items()} == {"face": 8.0, "voice": 5.0}
    assert {name: detector.statistic for name, detector in higher.lowered(6.0).alone.items()} == {
        "face": 6.0,
        "voice": 5.0,
    }
    capped = higher.capped(4.0).advance(30.0, None, None, {"face": 100.0})
    assert max(capped.alone["face"].phases) == 4.0


def test_who_stands_alone_later_begins_where_everybody_begins() -> None:
    raised = nothing().raised(6.0)
    assert raised.statistic == pytest.approx(6.0)
    later = raised.advance(0.0, None, None, {"face": 1.0})
    assert later.alone["face"].statistic == pytest.approx((9 * 6.0 + 7.0) / 10)
    assert raised.higher(nothing()).begun == raised.lowered(2.0).begun == 6.0
    assert nothing(cap=3.0).raised(6.0).advance(0.0, None, None, {"face": 1.0}).alone["face"].phases[-1] == 3.0
