"""Frames of any rate come out on the 25 Hz grid, each index once, in order, as the nearest truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.window.grid import GRID_HZ, MAX_GAP_SECONDS, GridSample, Resampler, Sample, runs_of


def sample(value: float, usable: bool = True) -> Sample:
    return Sample(np.array([value], np.float32), np.full((2, 2), int(value) % 256, np.uint8), usable)


def push(resampler: Resampler, times: list[float]) -> list[GridSample]:
    """Samples whose shape is their own time."""
    return [step for time in times for step in resampler.push(time, sample(time))]


@pytest.mark.parametrize("fps", [10, 12.5, 15, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60])
def test_every_rate_gives_25_a_second_at_the_right_time(fps: float) -> None:
    steps = push(Resampler(), [n / fps for n in range(int(4 * fps))])
    assert [step.index for step in steps] == list(range(len(steps)))
    assert len(steps) == pytest.approx(4 * GRID_HZ, abs=3)
    assert all(step.sample.usable for step in steps)
    assert [float(step.sample.shape[0]) for step in steps] == pytest.approx(
        [s.index / GRID_HZ for s in steps], abs=1e-5
    )


def test_the_mouth_is_the_nearer_frame() -> None:
    resampler = Resampler()
    list(resampler.push(0.0, sample(10)))
    steps = list(resampler.push(0.1, sample(20)))
    assert [int(step.sample.mouth[0, 0]) for step in steps] == [10, 20]
    assert [float(step.sample.shape[0]) for step in steps] == pytest.approx([14, 18])


def test_the_first_index_is_the_first_at_or_after_the_first_frame() -> None:
    assert [step.index for step in push(Resampler(), [0.05, 0.09, 0.13])] == [2, 3]
    assert [step.index for step in push(Resampler(), [0.04])] == [1]
    assert [step.index for step in push(Resampler(), [-0.1, 0.0])] == [-2, -1, 0]


def test_a_gap_is_filled_with_what_cannot_be_used() -> None:
    steps = push(Resampler(), [0.0, 0.04, 0.46, 0.50])
    assert [step.index for step in steps] == list(range(13))
    assert [step.index for step in steps if step.sample.usable] == [0, 1, 12]
    held = [float(step.sample.shape[0]) for step in steps[2:12]]
    assert held == pytest.approx([0.04] * 5 + [0.46] * 5)


def test_the_largest_gap_still_counts() -> None:
    assert all(step.sample.usable for step in push(Resampler(), [0.0, MAX_GAP_SECONDS, 2 * MAX_GAP_SECONDS]))


def test_beside_an_unusable_frame_nothing_is_usable() -> None:
    resampler = Resampler()
    steps = [*resampler.push(0.02, sample(1)), *resampler.push(0.06, sample(2, usable=False))]
    steps += [*resampler.push(0.10, sample(3)), *resampler.push(0.14, sample(4))]
    assert [(step.index, step.sample.usable) for step in steps] == [(1, False), (2, False), (3, True)]


def test_a_long_hole_is_not_filled() -> None:
    steps = push(Resampler(), [0.0, 0.04, 2.5, 2.54])
    assert [step.index for step in steps] == [0, 1, 63]
    assert steps[-1].sample.shape[0] == pytest.approx(2.52)
    assert [[step.index for step in run] for run in runs_of(steps)] == [[0, 1], [63]]
    assert list(runs_of([])) == []


@pytest.mark.parametrize("late", [0.04, 0.02, -1.0])
def test_a_time_that_does_not_advance_is_ignored(late: float) -> None:
    resampler = Resampler()
    push(resampler, [0.0, 0.04])
    assert list(resampler.push(late, sample(9))) == []
    assert [step.index for step in push(resampler, [0.08])] == [2]


@given(
    st.lists(st.floats(0.001, 1.9), min_size=1, max_size=60),
    st.floats(-5, 5),
    st.lists(st.booleans(), min_size=61, max_size=61),
)
def test_every_index_comes_once_in_order_whatever_the_rate(gaps: list[float], start: float, usable: list[bool]) -> None:
    times = np.cumsum([start, *gaps]).tolist()
    resampler = Resampler()
    steps = [
        step
        for time, use in zip(times, usable, strict=False)
        for step in resampler.push(time, Sample(np.array([time], np.float32), np.zeros((1, 1), np.uint8), use))
    ]
    first = math.ceil(start * GRID_HZ - 1e-6)
    assert [step.index for step in steps] == list(range(first, first + len(steps)))
    assert first + len(steps) == math.floor(times[-1] * GRID_HZ + 1e-6) + 1
    for step in steps:
        if step.sample.usable:
            assert step.sample.shape[0] == pytest.approx(step.index / GRID_HZ, abs=1e-4)
