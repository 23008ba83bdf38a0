"""A line treats every voice alike, and what it does is what its name says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.lab.distortions.voice_lines import CONFOUNDS, PLAIN, VoiceLine, aac
from monitor.types import FloatArray
from tests.monitor.lab.distortions.test_vocoding import vowel


def share_above(sound: FloatArray, hz: float) -> float:
    power = np.abs(np.fft.rfft(sound.astype(np.float64))) ** 2
    at = np.fft.rfftfreq(len(sound), 1 / 16_000)
    return float(power[at > hz].sum() / power.sum())


def speech(seed: int = 0) -> FloatArray:
    return vowel() + np.random.default_rng(seed).normal(0, 0.01, 16_000).astype(np.float32)


def test_lines_that_are_drawn_differ_and_are_repeatable() -> None:
    one, again, other = (VoiceLine.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert np.array_equal(one(speech()), again(speech()))
    assert one(speech()).shape == (16_000,)


def test_aac_keeps_the_time_and_nearly_the_wave() -> None:
    sound = speech()
    coded = aac(sound, 96_000)
    lags = range(-60, 61)
    alike = [float(np.corrcoef(np.roll(coded, lag)[200:-200], sound[200:-200])[0, 1]) for lag in lags]
    assert lags[int(np.argmax(alike))] == 0
    assert 0.9 < max(alike) < 1.0


def test_the_level_of_what_arrives_says_nothing_of_what_was_sent() -> None:
    line = replace(PLAIN, level=0.03)
    loud, quiet = (line(speech() * np.float32(gain)) for gain in (1.0, 0.05))
    assert np.std(loud) == pytest.approx(np.std(quiet), rel=0.05)


def test_a_telephone_and_a_band_cut_what_lies_above() -> None:
    assert share_above(speech(), 4000) > 1e-3
    assert share_above(replace(PLAIN, opus=0, telephone=True)(speech()), 3600) < 1e-4
    assert share_above(replace(PLAIN, opus=0, band_hz=5500)(speech()), 6200) < 1e-4


def test_noise_and_rooms_are_added() -> None:
    quiet = np.concatenate([vowel(0.5), np.zeros(8000, np.float32)])
    bare = replace(PLAIN, opus=0, aac=0)
    plain, noisy, room = (line(quiet) for line in (bare, replace(bare, noise=10.0), replace(bare, room=0.5)))
    tails = [float(np.std(sound[8200:10_000])) for sound in (plain, noisy, room)]
    assert tails[0] < 0.1 * min(tails[1:])


def test_confounds_are_named_apart_and_begin_with_the_plain_line() -> None:
    assert CONFOUNDS[0] == PLAIN
    assert len({line.name for line in CONFOUNDS}) == len(CONFOUNDS)
