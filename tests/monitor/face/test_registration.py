"""Shifts of pictures are found to about a pixel, whatever light and noise do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.face.registration import SIDE, shift_between
from monitor.types import ByteArray

WAVES = np.random.default_rng(3).uniform(-1, 1, (12, 3))


def scene(right: float = 0.0, down: float = 0.0, light: float = 1.0, noise: float = 0.0, seed: int = 0) -> ByteArray:
    """A smooth picture, what it shows moved by so many pixels."""
    y, x = np.mgrid[:SIDE, :SIDE] - np.array([down, right])[:, None, None]
    waves = sum(np.cos(0.5 * a * x + 0.5 * b * y + 6 * c) for a, b, c in WAVES)
    noisy = 128 + 10 * light * waves + noise * np.random.default_rng(seed).standard_normal((SIDE, SIDE))
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


@given(st.floats(-7, 7), st.floats(-7, 7), st.floats(0.6, 1.2), st.integers(0, 99))
def test_a_shift_is_found(right: float, down: float, light: float, seed: int) -> None:
    found = shift_between(scene(noise=1.0, seed=seed), scene(right, down, light, 1.0, seed + 100))
    assert found == pytest.approx((right, down), abs=1.2)


def test_what_stands_has_not_moved() -> None:
    assert shift_between(scene(), scene()) == pytest.approx((0.0, 0.0), abs=0.01)


def test_a_picture_of_one_grey_moves_nowhere() -> None:
    flat = np.full((SIDE, SIDE), 90, np.uint8)
    assert shift_between(flat, flat) == (0.0, 0.0)
