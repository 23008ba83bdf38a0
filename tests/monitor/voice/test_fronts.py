"""Features of sound for encoders from elsewhere: their formulas, entry by entry, and the same numbers in any pieces."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.types import FloatArray
from monitor.voice.fronts import FRONTS, Fbank104, Mfcc13, Wave640, silent_steps


def speech(seconds: float, seed: int = 0) -> FloatArray:
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * 16_000)) / 16_000
    tones = sum(np.sin(2 * math.pi * f * time + f) / n for n, f in enumerate((130, 700, 1900, 3100), 1))
    return np.asarray(0.1 * tones * (1 + np.sin(7 * time)) + 0.01 * random.normal(size=len(time)), np.float32)


def reference(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log filterbank (n, 26) and 13 cepstra (n, 13) as python_speech_features defines them, in plain loops."""
    signal = samples.astype(np.float64) * 32768
    signal = np.array([signal[0], *(signal[i] - 0.97 * signal[i - 1] for i in range(1, len(signal)))])
    mel = [2595 * math.log10(1 + 8000 / 700) * i / 27 for i in range(28)]
    edges = [math.floor(513 * 700 * (10 ** (m / 2595) - 1) / 16_000) for m in mel]
    bands, cepstra = [], []
    for start in range(0, len(signal) - 399, 160):
        power = np.abs(np.fft.rfft(signal[start : start + 400], 512)) ** 2 / 512
        row = []
        for j in range(26):
            total = 0.0
            for i in range(edges[j], edges[j + 1]):
                total += power[i] * (i - edges[j]) / (edges[j + 1] - edges[j])
            for i in range(edges[j + 1], edges[j + 2]):
                total += power[i] * (edges[j + 2] - i) / (edges[j + 2] - edges[j + 1])
            row.append(math.log(total or np.finfo(float).eps))
        bands.append(row)
        found = []
        for k in range(13):
            scale = math.sqrt((1 if k == 0 else 2) / 26)
            value = scale * sum(row[n] * math.cos(math.pi * k * (2 * n + 1) / 52) for n in range(26))
            found.append(value * (1 + 11 * math.sin(math.pi * k / 22)))
        found[0] = math.log(power.sum())
        cepstra.append(found)
    return np.array(bands, np.float32), np.array(cepstra, np.float32)


def test_filterbank_and_cepstra_follow_their_definitions() -> None:
    samples = speech(0.4)
    bands, cepstra = reference(samples)
    assert np.abs(Fbank104()(samples) - bands).max() < 1e-3
    assert np.abs(Mfcc13()(samples) - cepstra).max() < 1e-3


def test_a_step_of_the_filterbank_is_four_frames_normalised_together() -> None:
    rows = np.random.default_rng(0).normal(9, 3, (5, 4, 26)).astype(np.float32)
    steps = Fbank104().steps(rows)
    assert steps.shape == (5, 104)
    assert np.abs(steps.mean(1)).max() < 1e-5
    assert np.abs(steps.std(1) - 1).max() < 1e-4
    flat = rows[2].reshape(-1)
    assert np.abs(steps[2] - (flat - flat.mean()) / np.sqrt(flat.var() + 1e-5)).max() < 1e-5


@pytest.mark.parametrize("kind", sorted(FRONTS))
@pytest.mark.parametrize("piece", [1, 37, 320, 5000])
def test_pieces_give_what_the_whole_gives(kind: str, piece: int) -> None:
    samples = speech(0.2)
    whole, front = FRONTS[kind]()(samples), FRONTS[kind]()
    found = np.concatenate([front(samples[at : at + piece]) for at in range(0, len(samples), piece)])
    assert found.shape == whole.shape
    assert np.abs(found - whole).max() < 1e-4


def test_the_wave_is_the_samples_themselves() -> None:
    samples = speech(0.1)
    assert np.array_equal(Wave640().steps(Wave640()(samples)[:, None]), samples[:1280].reshape(2, 640))


@pytest.mark.parametrize("kind", sorted(FRONTS))
def test_silence_has_the_shape_of_sound(kind: str) -> None:
    front = FRONTS[kind]()
    rows = front(speech(1.0))
    steps = front.steps(rows[: 20 * front.per_step].reshape(20, front.per_step, -1))
    quiet = silent_steps(kind, 20)
    assert quiet.shape == steps.shape
    assert np.isfinite(quiet).all()
