import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.edetector import EDetector, threshold

E = st.floats(0.0, 20.0)


def start(hop: float = 5.0, cap: float = 1e60) -> EDetector:
    return EDetector.start(5.0, hop, cap)


def test_the_threshold_is_the_number_of_windows_between_false_alerts() -> None:
    assert threshold(0.1, 5.0) == pytest.approx(7200.0)
    assert threshold(1.0, 10.0) == pytest.approx(360.0)


@given(st.lists(E, min_size=1, max_size=30))
def test_one_phase_is_the_shiryaev_roberts_sum(e_values: list[float]) -> None:
    detector = start()
    for t, e_value in enumerate(e_values):
        detector = detector.advance(5.0 * t, e_value)
    n = len(e_values)
    assert detector.statistic == pytest.approx(sum(math.prod(e_values[k:]) for k in range(n)), rel=1e-9)


@given(st.integers(1, 60))
def test_neutral_evidence_counts_the_windows_of_each_phase(hops: int) -> None:
    """With e = 1 the statistic is the number of windows, as many as its mean may reach on a genuine stream."""
    detector = start(hop=0.5)
    for hop in range(hops):
        detector = detector.advance(0.5 * hop, 1.0)
    assert detector.statistic == pytest.approx(hops / 10)


@given(st.lists(st.floats(0.01, 2.0), min_size=2, max_size=80))
def test_windows_of_one_phase_share_at_most_half_a_hop(steps: list[float]) -> None:
    detector, time = start(hop=0.5), 0.0
    seen: dict[int, float] = {}
    for step in steps:
        time += step
        after = detector.advance(time, 1.5)
        for phase, (old, new) in enumerate(zip(detector.judged, after.judged, strict=True)):
            if new != old:
                assert new - seen.get(phase, -math.inf) >= 4.75
                seen[phase] = new
        detector = after


def test_a_hop_that_comes_twice_changes_nothing() -> None:
    detector = start().advance(0.0, 3.0)
    assert detector.advance(0.0, 3.0) is detector
    assert detector.advance(2.0, 3.0) is detector
    assert detector.advance(2.5, 3.0).statistic == 12.0


def test_jitter_of_the_hops_loses_no_window() -> None:
    detector = start(hop=0.5)
    for hop in range(100):
        detector = detector.advance(0.5 * hop + 0.1 * (-1) ** hop, 1.0)
    assert detector.statistic == pytest.approx(10.0)


def test_after_a_step_back_in_time_it_goes_on_with_what_it_had() -> None:
    detector = start().advance(100.0, 3.0).advance(1.0, 3.0)
    assert detector.statistic == 12.0
    assert detector.judged == (1.0,)


def test_statistics_stay_at_the_cap() -> None:
    detector = start(cap=50.0)
    for t in range(20):
        detector = detector.advance(5.0 * t, 10.0)
    assert detector.statistic == 50.0


def test_a_hop_longer_than_a_window_makes_one_phase() -> None:
    assert len(EDetector.start(5.0, 20.0, 1.0).phases) == 1
    assert EDetector.start(5.0, 0.5, 100.0, level=7.0).statistic == 7.0


def test_two_phases_half_a_window_apart_must_reach_a_level_to_agree_on_it() -> None:
    detector = EDetector.start(5.0, 0.5, 1e60)
    phases = [0.0] * 10
    for levels, agreed in (({3: 900.0}, 0.0), ({3: 900.0, 4: 900.0}, 0.0), ({3: 900.0, 8: 70.0, 4: 500.0}, 70.0)):
        values = tuple(levels.get(n, phase) for n, phase in enumerate(phases))
        assert replace(detector, phases=values).agreed == agreed


@given(st.integers(1, 12), st.lists(E, min_size=1, max_size=40))
def test_phases_never_agree_on_more_than_the_highest(count: int, e_values: list[float]) -> None:
    detector = EDetector.start(5.0, 5.0 / count, 1e60)
    for n, e_value in enumerate(e_values):
        detector = detector.advance(n * 5.0 / count, e_value)
        assert min(detector.phases) <= detector.agreed <= max(detector.phases)
