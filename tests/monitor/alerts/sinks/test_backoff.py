from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.sinks.backoff import LONGEST_SECONDS, retry_delay_seconds


def test_schedule_without_jitter_and_with_the_most_of_it() -> None:
    assert [retry_delay_seconds(n, 0.0) for n in range(1, 13)] == [
        0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 150.0, 150.0,
    ]  # fmt: skip
    assert [retry_delay_seconds(n, 0.5) for n in (1, 2, 3, 10_000)] == [0.375, 0.75, 1.5, 225.0]


def test_what_the_receiver_asks_for_lengthens_the_pause_up_to_the_longest() -> None:
    assert retry_delay_seconds(1, 0.0, 7.0) == 7.0
    assert retry_delay_seconds(6, 0.0, 7.0) == 8.0
    assert retry_delay_seconds(1, 0.0, 86_400.0) == LONGEST_SECONDS


@given(st.integers(1, 10**6), st.floats(0.0, 1.0, exclude_max=True))
def test_pauses_grow_and_are_bounded(failures: int, jitter: float) -> None:
    pause = retry_delay_seconds(failures, jitter)
    assert 0.0 < pause <= LONGEST_SECONDS
    assert retry_delay_seconds(failures + 1, jitter) >= pause
