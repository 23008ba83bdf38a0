"""Which pictures may wait for the next, and which lie between two: what is told by times, and by looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.face.cadence import CALM, EVERY, LIGHT, Cadence, mixture, strangeness_of
from monitor.types import FloatArray


def look(seed: int) -> FloatArray:
    return np.random.default_rng(seed).uniform(16, 235, (36, 36)).astype(np.float32)


@pytest.mark.parametrize(("rate", "waiting"), [(8, 0), (15, 0), (24, 1), (25, 1), (30, 2), (50, 4), (60, 5)])
def test_landmarks_are_a_tenth_of_a_second_apart_at_most(rate: int, waiting: int) -> None:
    """At 25 pictures a second every other one waits, at 30 two of three; slow ones never do."""
    step, last, waits = 1 / rate, 0.0, []
    for n in range(1, 200):
        if CALM.may_wait(n * step - last, step):
            waits.append(n)
            continue
        assert n * step - last <= max(CALM.longest_seconds, step) + 1e-9
        last = n * step
    assert len(waits) == pytest.approx(199 * waiting / (waiting + 1), abs=2)


def test_nothing_waits_where_every_picture_has_landmarks() -> None:
    assert not EVERY.may_wait(0.0, 0.001)
    assert not EVERY.may_mix(0.001)


def test_where_time_does_not_advance_nothing_waits_or_lies_between() -> None:
    for cadence in (CALM, LIGHT):
        assert not cadence.may_wait(-10.0, -10.0)
        assert not cadence.may_wait(0.0, 0.0)
        assert not cadence.may_mix(0.0)
        assert not cadence.may_mix(-1.0)


def test_what_came_late_is_too_far_apart_to_lie_between() -> None:
    assert CALM.may_mix(0.1)
    assert not CALM.may_mix(0.2)
    assert LIGHT.may_mix(0.1)


@given(st.floats(0.0, 1.0), st.integers(0, 99))
def test_a_mixture_is_no_stranger_than_nothing(weight: float, seed: int) -> None:
    before, after = look(seed), look(seed + 1)
    assert strangeness_of(mixture(before, after, weight), before, after, weight) < 1e-3
    assert CALM.is_between(mixture(before, after, weight), before, after, weight)


def test_noise_is_less_strange_than_a_mouth_that_opens_and_closes() -> None:
    before = look(0)
    noisy = before + np.random.default_rng(1).normal(0, 3, before.shape).astype(np.float32)
    opened = before.copy()
    opened[12:24, 8:28] = 20.0
    noise, opening = (strangeness_of(each, before, before, 0.5) for each in (noisy, opened))
    assert noise < 0.1 < 0.3 < opening
    assert not CALM.is_between(opened, before, before, 0.5)
    assert LIGHT.is_between(opened, before, before, 0.5)


def test_strangeness_is_measured_by_contrast() -> None:
    """The same face in half the light changes half as much, and no more strangely."""
    before, at, after = (np.float32(40) + look(seed) for seed in range(3))
    half = np.float32(0.5)
    bright = strangeness_of(at, before, after, 0.5)
    dim = strangeness_of(at * half, before * half, after * half, 0.5)
    assert bright == pytest.approx(dim, rel=0.1)


def test_a_flat_look_is_strange_for_noise_of_a_grey_level_only_so_much() -> None:
    flat = np.full((36, 36), 80, np.float32)
    assert strangeness_of(flat + 1, flat, flat, 0.5) == pytest.approx(0.5)


def test_mixtures_keep_the_type_and_the_ends() -> None:
    before, after = look(0), look(1)
    assert mixture(before, after, 0.0) == pytest.approx(before)
    assert mixture(before, after, 1.0) == pytest.approx(after, rel=1e-5)
    assert mixture(before, after, 0.3).dtype == np.float32


def test_a_cadence_is_a_value() -> None:
    assert Cadence(0.0, 0.0) == EVERY
