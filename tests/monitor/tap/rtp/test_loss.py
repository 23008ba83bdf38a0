"""The share of packets that are lost, by sequence numbers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.rtp.loss import LossMeter


def share(sequences: list[int]) -> float:
    meter = LossMeter()
    for sequence in sequences:
        meter.add(sequence & 0xFFFF)
    return meter.close()


@pytest.mark.parametrize("start", [0, 65_500])
def test_what_is_missing_of_the_sequence_is_lost(start: int) -> None:
    assert share([start + n for n in range(100)]) == 0.0
    assert share([start + n for n in range(100) if n % 5]) == pytest.approx(0.2, abs=0.01)


def test_late_and_doubled_packets_are_not_lost() -> None:
    order = list(range(100))
    for n in range(0, 100, 10):
        order[n], order[n + 3] = order[n + 3], order[n]
    assert share(order) == 0.0
    assert share([n // 2 for n in range(200)]) == 0.0


def test_a_restart_of_the_sender_is_no_loss_in_either_direction() -> None:
    assert share([*range(50), *range(20_000, 20_050)]) == 0.0
    assert share([*range(20_000, 20_050), *range(50)]) == 0.0
    assert share([*range(100), *range(60_000, 60_050), *range(60_051, 60_100)]) == pytest.approx(0.005, abs=0.003)


def test_a_loss_is_forgotten_after_three_periods_and_of_a_few_packets_nothing_is_said() -> None:
    meter, shares = LossMeter(), []
    for n in range(50):
        meter.add(2 * n)
    for period in range(5):
        shares.append(meter.close())
        for n in range(50):
            meter.add(99 + period * 50 + n)
    assert shares[0] == pytest.approx(0.5, abs=0.01)
    assert shares[0] > shares[1] > shares[2] > 0.1
    assert shares[3:] == [0.0, 0.0]
    assert share([0, 2, 4, 6]) == 0.0
    assert LossMeter().close() == 0.0


@given(st.floats(0.0, 0.9), st.integers(0, 0xFFFF), st.integers(0, 2**32))
def test_the_share_is_that_of_the_line(lost: float, start: int, seed: int) -> None:
    draw = random.Random(seed)
    arrived = [start + n for n in range(2000) if draw.random() >= lost]
    expected = 1.0 - len(arrived) / (arrived[-1] - arrived[0] + 1)
    assert share(arrived) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 0xFFFF), max_size=200))
def test_any_numbers_give_a_share(sequences: list[int]) -> None:
    assert 0.0 <= share(sequences) <= 1.0
