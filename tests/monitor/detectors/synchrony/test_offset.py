"""Offsets of lips and voice: the curve over a window, and the path through the past."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.detectors.synchrony.offset import Curve, Track, follow, offset_curve, offset_prices
from monitor.types import ClockState
from monitor.window.window import Window


def spoken(voice_late: int = 0, seconds: float = 12.0, seed: int = 0) -> Window:
    """Lips and voice that are the same vectors, the voice late by some frames."""
    vectors = np.random.default_rng(seed).standard_normal((round(25 * seconds), 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    yes = np.ones(len(vectors), np.bool_)
    late = np.roll(vectors, voice_late, axis=0)
    return Window(
        seconds, 25, vectors, yes, late, yes, yes, ClockState.MAPPED, 0.01, yes, np.zeros(len(yes), np.uint8), seconds
    )


def track(window: Window) -> Track:
    whole, path = follow(window)
    free = offset_curve(window)
    assert whole.means == pytest.approx(free.means, abs=1e-9)
    assert (whole.counts == free.counts).all()
    return path


def curve(*means: float, counts: tuple[int, ...] | None = None) -> Curve:
    return Curve(np.array(means), np.array(counts or (50,) * len(means)))


def test_the_best_offset_is_where_the_voice_fits() -> None:
    found = offset_curve(spoken(4))
    assert found.offset == 4
    assert found.agreement == pytest.approx(1.0, abs=1e-5)
    assert found.clearness > 0.8


def test_offsets_on_few_frames_are_not_kept() -> None:
    found = curve(0.9, 0.2, 0.1, counts=(10, 50, 50))
    assert found.sufficient.tolist() == [False, True, True]
    assert found.best == 1


def test_neighbours_of_the_best_offset_do_not_make_it_unclear() -> None:
    far = curve(0.1, 0.0, 0.0, 0.0, 0.0, 0.5, 0.6, 0.5, 0.0)
    assert far.clearness == pytest.approx(0.5)
    assert curve(0.5, 0.6, 0.5).clearness == 0


def test_a_window_keeps_to_the_offset_of_another_curve() -> None:
    past = curve(0.0, 0.0, 0.5, 0.0, 0.0, 0.0)
    assert curve(0.1, 0.2, 0.1, 0.3, 0.1, 0.9).near(past) == 3
    assert curve(0.1, 0.2, 0.1, 0.3, 0.1, 0.9, counts=(50, 1, 1, 1, 50, 50)).near(past) == 5


@pytest.mark.parametrize("late", [-10, 0, 7])
def test_a_constant_offset_is_a_straight_path(late: int) -> None:
    found = track(spoken(late))
    assert set(found.offsets) == {late}
    assert len(found.offsets) >= 18
    assert found.spread == 0


def test_a_jump_shows_in_the_path() -> None:
    before, after = spoken(0), spoken(6)
    voice = np.concatenate([before.voice[:150], after.voice[150:]])
    found = track(replace(before, voice=voice))
    # Segments that hold some of both are as clear of either or of neither.
    assert set(found.offsets) == {0, 6}
    assert list(found.offsets) == sorted(found.offsets)
    assert 2.5 < found.spread <= 3


def test_segments_hold_speech_not_time() -> None:
    speech = np.arange(300) % 2 == 0
    assert len(track(replace(spoken(), speech=speech)).offsets) == 9


def test_strangers_and_silence_have_no_path() -> None:
    mine, yours = spoken(), spoken(seed=1)
    assert track(replace(mine, voice=yours.voice)).offsets == ()
    silent = track(replace(mine, speech=np.zeros(300, np.bool_)))
    assert (silent.offsets, silent.spread) == ((), 0.0)


def test_a_steady_offset_is_established_by_clear_segments() -> None:
    assert Track(()).established == 0
    assert Track((7,) * 5).established == 0.5
    assert Track((7,) * 30).established == 1
    assert Track((6, 7, 8) * 10).established == 1
    assert Track((-12, 3, 9, 15, 0)).established == 0
    assert Track((7,) * 12 + (0,) * 4).established == pytest.approx(0.8)


def test_far_offsets_cost_what_no_steady_path_explains() -> None:
    unknown = offset_prices(Track(()), 0.0, 25)
    assert unknown[[15, 13, 17]].tolist() == [0, 0, 0]
    assert unknown[[12, 18]] == pytest.approx([0.015, 0.015])
    assert unknown[[0, 30]] == pytest.approx([0.195, 0.195])
    assert offset_prices(Track((7,) * 5), 0.0, 25) == pytest.approx(unknown / 2)
    assert not offset_prices(Track((7,) * 10), 0.0, 25).any()


def test_an_unknown_clock_makes_the_prior_wide() -> None:
    prices = offset_prices(Track(()), 0.2, 25)
    assert not prices[8:23].any()
    assert prices[[7, 23]] == pytest.approx([0.015, 0.015])
    assert not offset_prices(Track(()), 0.6, 25).any()


def test_prices_come_off_the_agreement() -> None:
    found = spoken(4)
    means = offset_curve(found)
    assert means.less(np.full(31, 0.25)).agreement == pytest.approx(means.agreement - 0.25)
    assert (means.less(np.zeros(31)).counts == means.counts).all()
