from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.retry import FIRST_RETRY_SECONDS, LONGEST_ASKED_SECONDS, retry_delay_seconds
from monitor.alerts.sinks import delivery
from monitor.host import supervision

SOURCE, SINK = supervision.LONGEST_RETRY_SECONDS, delivery.LONGEST_RETRY_SECONDS


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [retry_delay_seconds(failures, 0.0, SOURCE) for failures in range(1, 8)]
    assert pauses[:5] == [FIRST_RETRY_SECONDS / 2 * 2**step for step in range(5)]
    assert pauses[4:] == [SOURCE / 2] * 3
    assert retry_delay_seconds(10**9, 0.0, SOURCE) == SOURCE / 2
    assert retry_delay_seconds(10**9, 0.0, 86_400.0) == 43_200.0


def test_the_pauses_of_a_sink_grow_to_minutes() -> None:
    assert [retry_delay_seconds(n, 0.0, SINK) for n in range(1, 13)] == [
        0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 150.0, 150.0,
    ]  # fmt: skip
    assert [retry_delay_seconds(n, 0.5, SINK) for n in (1, 2, 3, 10_000)] == [0.375, 0.75, 1.5, 225.0]


@pytest.mark.parametrize("failures", [1, 3, 9])
def test_jitter_spreads_a_pause_over_its_upper_half(failures: int) -> None:
    shortest, middle, longest = (retry_delay_seconds(failures, jitter, SOURCE) for jitter in (0.0, 0.5, 1.0))
    assert longest == 2.0 * shortest
    assert middle == 1.5 * shortest


@pytest.mark.parametrize("longest", [SOURCE, SINK])
def test_what_the_other_side_asks_for_lengthens_a_pause(longest: float) -> None:
    assert retry_delay_seconds(1, 0.0, longest, 20.0) == 20.0
    assert retry_delay_seconds(9, 0.0, longest, 1.0) == retry_delay_seconds(9, 0.0, longest)
    assert retry_delay_seconds(1, 0.0, longest, 1e9) == LONGEST_ASKED_SECONDS
    assert retry_delay_seconds(6, 0.0, SINK, 7.0) == 8.0


@given(st.integers(1, 10**6), st.floats(0.0, 1.0, exclude_max=True), st.sampled_from([SOURCE, SINK]))
def test_pauses_grow_and_are_bounded(failures: int, jitter: float, longest: float) -> None:
    pause = retry_delay_seconds(failures, jitter, longest)
    assert 0.0 < pause <= longest
    assert retry_delay_seconds(failures + 1, jitter, longest) >= pause
