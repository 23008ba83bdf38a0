"""Copies are told from other recordings of the same person."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.identity.enrolment.duplicate_clips import Curves, likeness, same_recording
from monitor.types import FloatArray


def walk(seed: int, seconds: float = 10.0, columns: int = 5) -> FloatArray:
    """Something that moves smoothly."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((int(seconds * 25), columns))
    kernel = np.ones(5) / 5
    return np.stack([np.convolve(c, kernel, "same") for c in steps.T], 1).astype(np.float32)


def noisy(curve: FloatArray, seed: int = 9) -> FloatArray:
    random = np.random.default_rng(seed)
    return np.asarray(curve * 0.7 + 3 + 0.05 * random.standard_normal(curve.shape), np.float32)


@pytest.mark.parametrize("part", [slice(None), slice(50, 200), slice(0, 130)])
def test_a_noisy_part_is_the_same(part: slice) -> None:
    whole = walk(1)
    assert likeness(whole, noisy(whole[part])) > 0.95
    assert likeness(noisy(whole[part]), whole) > 0.95


def test_others_are_not() -> None:
    assert max(likeness(walk(seed), walk(seed + 100)) for seed in range(20)) < 0.6


def test_either_sound_or_movement_suffices() -> None:
    a, b = walk(1), walk(2)
    assert same_recording(Curves(a, walk(3)), Curves(noisy(a), walk(4)))
    assert same_recording(Curves(walk(3), b), Curves(walk(4), b.copy()))
    assert not same_recording(Curves(a, b), Curves(walk(5), walk(6)))


def test_too_short_and_still_is_like_nothing() -> None:
    still = np.zeros((100, 5), np.float32)
    assert likeness(walk(1, 1.0), walk(1, 1.0)) == 0.0
    assert likeness(np.zeros((0, 5), np.float32), walk(1)) == 0.0
    assert abs(likeness(still, walk(1))) < 0.01
    assert abs(likeness(still, still)) < 0.01
