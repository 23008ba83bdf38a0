"""How well a recording shows a voice, and what to record again."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detectors.voiceprint.quality import SpeechQuality, advice, speech_quality
from monitor.identity.enrolment.sound_ladder import narrowband
from monitor.types import FloatArray

RATE = 16_000


def speech(noise: float, level: float = 0.2) -> FloatArray:
    """Bursts of sound in all bands, five a second, over noise of this strength."""
    random = np.random.default_rng(1)
    time = np.arange(10 * RATE) / RATE
    loud = level * (np.sin(2 * np.pi * 2.5 * time) > 0) * random.normal(0, 1, len(time))
    return np.asarray(loud + random.normal(0, noise, len(time)), np.float32)


def test_noise_between_the_sounds_of_speech_is_heard() -> None:
    clean, noisy = (speech_quality(speech(noise)) for noise in (0.001, 0.1))
    assert clean is not None
    assert noisy is not None
    assert clean.above_noise_db > 40
    assert list(clean.problems()) == []
    assert noisy.above_noise_db == pytest.approx(7, abs=1.5)
    (line,) = noisy.problems()
    assert line.startswith("in a quieter room: the voice lies only")


def test_the_band_of_a_telephone_is_told() -> None:
    whole, narrow = (speech_quality(sound) for sound in (speech(0.001), narrowband(speech(0.001))))
    assert whole is not None
    assert narrow is not None
    assert whole.band_hz == 8_000
    assert narrow.band_hz == pytest.approx(3_600, abs=200)
    assert list(narrow.problems()) == ["without a telephone: there is nothing above 3.8 kHz in it"]


def test_a_voice_that_is_cut_off_is_told() -> None:
    cut = speech_quality(np.clip(speech(0.001, level=1.0), -1, 1))
    assert cut is not None
    assert cut.cut_share > 0.1
    assert list(cut.problems()) == ["with the microphone turned down: the loudest of the voice is cut off"]


def test_recordings_are_named_and_what_holds_no_speech_is_not_measured() -> None:
    assert speech_quality(np.zeros((0, 25_600), np.float32)) is None
    good, bad = SpeechQuality(30.0, 8_000.0, 0.0), SpeechQuality(6.2, 3_500.0, 0.01)
    assert advice(["one.mp4", "two.mp4", "three.mp4"], [good, bad, None]) == [
        "record two.mp4 again in a quieter room: the voice lies only 6 dB above the noise",
        "record two.mp4 again without a telephone: there is nothing above 3.5 kHz in it",
        "record two.mp4 again with the microphone turned down: the loudest of the voice is cut off",
    ]
