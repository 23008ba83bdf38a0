"""Still things stay still, moving things are followed."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.face.smoothing import OneEuro
from monitor.types import FloatArray


def points(value: float) -> FloatArray:
    return np.full((4, 3), value, np.float32)


def test_the_first_value_passes_as_it_is() -> None:
    assert (OneEuro()(points(3), 1.0) == 3).all()


def test_jitter_about_a_place_is_damped() -> None:
    random, smooth = np.random.default_rng(0), OneEuro()
    raw = random.normal(0, 0.5, (100, 4, 3)).astype(np.float32)
    out = np.stack([smooth(value, n / 25, 100) for n, value in enumerate(raw)])
    assert out.dtype == np.float32
    assert out[20:].std() < 0.6 * raw[20:].std()


def test_a_fast_move_is_followed_sooner_than_without_regard_to_speed() -> None:
    prompt, slow = OneEuro(), OneEuro(beta=0.0)
    for n in range(10):
        prompt(points(0), n / 25, 100)
        slow(points(0), n / 25, 100)
    for n in range(10, 15):
        ahead, behind = prompt(points(100), n / 25, 100), slow(points(100), n / 25, 100)
    assert behind.mean() < ahead.mean() < 100
    assert ahead.mean() > 95


@pytest.mark.parametrize("time", [1.0, 0.5])
def test_a_time_that_does_not_advance_changes_nothing(time: float) -> None:
    smooth = OneEuro()
    smooth(points(1), 1.0)
    assert (smooth(points(9), time) == 1).all()
    assert (smooth(points(1), 2.0) == 1).all()
