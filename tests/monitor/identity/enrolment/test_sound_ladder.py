"""Enrolled speech as lines of all kinds carry it: as long as it was, and changed as each line changes it."""

from __future__ import annotations

import numpy as np

from monitor.identity.enrolment.sound_ladder import SOUND_RUNGS, narrowband, sound_rungs, suppress_noise
from monitor.types import FloatArray

RATE = 16_000


def tone(hz: float, seconds: float = 1.0, level: float = 0.1) -> FloatArray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def level(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(samples[RATE // 4 : -RATE // 4], dtype=np.float64))))


def test_every_rung_keeps_the_length_and_the_first_changes_nothing() -> None:
    sound = tone(300) + tone(1500, level=0.05)
    rungs = dict(sound_rungs(sound))
    assert list(rungs) == [step.name for step in SOUND_RUNGS]
    np.testing.assert_array_equal(rungs["as recorded"], sound)
    for name, carried in rungs.items():
        assert len(carried) == len(sound), name
        assert carried.dtype == np.float32
        # Sample n still belongs to the same moment: what is enrolled is cut at the same places.
        assert float(np.corrcoef(carried[4000:12000], sound[4000:12000])[0, 1]) > 0.8, name


def test_a_telephone_carries_no_bass_and_no_treble() -> None:
    assert level(narrowband(tone(1000))) > 0.9 * level(tone(1000))
    assert level(narrowband(tone(150))) < 0.02 * level(tone(150))
    assert level(narrowband(tone(5000))) < 0.02 * level(tone(5000))


def test_steady_noise_is_taken_off_and_speech_left() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 2 * RATE).astype(np.float32)
    bursts = np.where(np.arange(2 * RATE) // 4000 % 2, tone(700, 2.0), 0).astype(np.float32)
    before, after = noise, suppress_noise(noise + bursts)
    quiet = np.arange(2 * RATE) // 4000 % 2 == 0
    quiet[: RATE // 4] = quiet[-RATE // 4 :] = False
    assert np.std(after[quiet]) < 0.7 * np.std(before[quiet])
    loud = ~quiet & (np.arange(2 * RATE) > RATE // 4) & (np.arange(2 * RATE) < 2 * RATE - RATE // 4)
    assert np.std(after[loud]) > 0.8 * np.std(bursts[loud])
