"""Speech that was made anew is as long, as loud and nearly as coloured as it was, and not the same."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.lab.distortions.vocoding import KINDS, converted, installed, linear_prediction
from monitor.types import FloatArray
from monitor.voice.logmel import frames

RATE = 16_000


def vowel(seconds: float = 1.0, pitch_hz: float = 125.0) -> FloatArray:
    """A voice that says one vowel: harmonics under the formants of an a."""
    at = np.arange(round(seconds * RATE)) / RATE
    hz = pitch_hz * np.arange(1, 40)
    formants = np.array([[730.0], [1090.0], [2440.0]])
    weight = np.exp(-(((hz - formants) / 150) ** 2)).sum(0) + 0.01
    sound = (weight[:, None] * np.sin(2 * np.pi * hz[:, None] * at)).sum(0)
    return np.asarray(0.1 * sound / np.abs(sound).max(), np.float32)


def pitch_of(sound: FloatArray) -> float:
    """The strongest period of the middle of a sound, in Hz."""
    middle = sound[len(sound) // 3 :][:4096].astype(np.float64)
    power = np.abs(np.fft.rfft(middle, 8192)) ** 2
    lags = np.fft.irfft(power)[: RATE // 70]
    return RATE / (40 + int(np.argmax(lags[40:])))


@pytest.mark.parametrize("kind", installed())
def test_it_is_as_long_and_as_loud_and_another_wave(kind: str) -> None:
    sound = vowel()
    made = KINDS[kind](sound, np.random.default_rng(0))
    assert made.shape == sound.shape
    assert made.dtype == np.float32
    assert np.std(made) == pytest.approx(np.std(sound), rel=0.15)
    assert np.corrcoef(made, sound)[0, 1] < 0.95
    assert np.array_equal(made, KINDS[kind](sound, np.random.default_rng(0)))


@pytest.mark.parametrize("kind", ["griffin-lim", "linear prediction"])
def test_the_spectrum_stays(kind: str) -> None:
    sound = vowel()
    made = KINDS[kind](sound, np.random.default_rng(0))
    before, after = frames(sound)[20:80].mean(0), frames(made)[20:80].mean(0)
    assert np.corrcoef(before, after)[0, 1] > 0.8


def test_linear_prediction_keeps_the_pitch_and_has_none_of_noise() -> None:
    assert pitch_of(linear_prediction(vowel(), np.random.default_rng(0))) == pytest.approx(125, rel=0.05)
    hiss = np.random.default_rng(1).normal(0, 0.05, RATE).astype(np.float32)
    made = linear_prediction(hiss, np.random.default_rng(0)).astype(np.float64)
    assert np.abs(np.fft.rfft(made)).max() < 40 * np.median(np.abs(np.fft.rfft(made)))


def test_a_phase_vocoder_moves_the_pitch() -> None:
    moved = {round(pitch_of(converted(vowel(), np.random.default_rng(seed))) / 125, 1) for seed in range(8)}
    assert moved & {0.8, 0.9}
    assert moved & {1.1, 1.2, 1.3}


def test_world_is_listed_only_where_its_package_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.lab.distortions.vocoding.find_spec", lambda name: None)
    assert installed() == ("griffin-lim", "linear prediction", "phase vocoder")
    monkeypatch.setattr("monitor.lab.distortions.vocoding.find_spec", lambda name: object())
    assert installed()[-1] == "world"


def test_silence_stays_silent() -> None:
    for kind in ("griffin-lim", "linear prediction", "phase vocoder"):
        made = KINDS[kind](np.zeros(8000, np.float32), np.random.default_rng(0))
        assert np.isfinite(made).all()
        assert np.abs(made).max() < 1e-3
