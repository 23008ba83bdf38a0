"""Audio front ends of published encoders, streaming: the same features however the audio is split.

`fbank104` is AV-HuBERT's: 26 log filterbank energies at 100 Hz, four frames stacked, each stack normalised. `mfcc13` is
that of TalkNet, Light-ASD and LR-ASD: 13 cepstral coefficients at 100 Hz. Both follow python_speech_features, which
the original code calls: frame j is samples 160 j to 160 j + 400 without a window function, pre-emphasis 0.97,
amplitudes of 16-bit audio. `wave640` is BRAVEn's: the samples themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.types import SAMPLE_RATE_HZ, FloatArray
from monitor.voice.logmel import HOP_SAMPLES, MEL_BANDS, POWER_FLOOR, WINDOW_SAMPLES, LogMel

FFT_SIZE = 512
FILTER_BANDS = 26
CEPSTRAL_COEFFICIENTS = 13
LIFTER = 22
PRE_EMPHASIS = 0.97
FULL_SCALE = 32768.0
STEP_SAMPLES = 640

Float64Array = NDArray[np.float64]


class SoundFront(Protocol):
    """An audio front end: turns the samples of one stream into rows, `per_step` for each grid step of 40 ms."""

    per_step: int

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Return the rows that the new samples complete, (n, width)."""
        ...

    def steps(self, rows: FloatArray) -> FloatArray:
        """Convert the rows of whole grid steps (n, per_step, width) to the encoder's input: (n, ...)."""
        ...


class Mel80(LogMel):
    """The front end of the shipped encoder: 80 log-mel bands, four frames a step."""

    per_step = 4

    def steps(self, rows: FloatArray) -> FloatArray:
        """Return the rows as they are, (n, 4, 80)."""
        return rows


class _Frames:
    """Cuts the pre-emphasised stream into overlapping frames."""

    per_step = 4

    def __init__(self) -> None:
        self._tail: Float64Array = np.zeros(0)
        self._last = 0.0
        self._has_started = False

    def _cut(self, samples: FloatArray) -> Float64Array:
        """Return the new whole frames, (n, 400)."""
        scaled = samples.astype(np.float64) * FULL_SCALE
        if len(scaled):
            previous = np.concatenate([[self._last if self._has_started else 0.0], scaled[:-1]])
            self._has_started, self._last = True, float(scaled[-1])
            self._tail = np.concatenate([self._tail, scaled - PRE_EMPHASIS * previous])
        count = max((len(self._tail) - WINDOW_SAMPLES) // HOP_SAMPLES + 1, 0)
        if count == 0:
            return np.zeros((0, WINDOW_SAMPLES))
        frames = np.lib.stride_tricks.sliding_window_view(self._tail, WINDOW_SAMPLES)[::HOP_SAMPLES][:count]
        self._tail = self._tail[count * HOP_SAMPLES :]
        return np.asarray(frames, np.float64)


class Fbank104(_Frames):
    """26 log filterbank energies; a step is four of them in a row, normalised together."""

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Log energies of the new frames, (n, 26)."""
        return np.asarray(log_filterbank(self._cut(samples))[0], np.float32)

    def steps(self, rows: FloatArray) -> FloatArray:
        """Stack and normalise: (n, 4, 26) to (n, 104)."""
        flat = rows.reshape(len(rows), 4 * FILTER_BANDS).astype(np.float64)
        centred = flat - flat.mean(1, keepdims=True)
        return np.asarray(centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5), np.float32)


class Mfcc13(_Frames):
    """13 cepstral coefficients, the first of them the log energy of the frame."""

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Coefficients of the new frames, (n, 13)."""
        bands, energy = log_filterbank(self._cut(samples))
        cepstra = bands @ _cosines() * _lifter()
        cepstra[:, 0] = energy
        return np.asarray(cepstra, np.float32)

    def steps(self, rows: FloatArray) -> FloatArray:
        """Return the rows as they are, (n, 4, 13)."""
        return rows


class Wave640:
    """The samples of each step, in [-1, 1]."""

    per_step = 1

    def __init__(self) -> None:
        self._tail: FloatArray = np.zeros(0, np.float32)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Whole steps of samples, (n, 640)."""
        joined = np.concatenate([self._tail, samples])
        count = len(joined) // STEP_SAMPLES
        self._tail = joined[count * STEP_SAMPLES :]
        return joined[: count * STEP_SAMPLES].reshape(count, STEP_SAMPLES)

    def steps(self, rows: FloatArray) -> FloatArray:
        """Drop the axis of one: (n, 1, 640) to (n, 640)."""
        return rows[:, 0]


FRONTS: Mapping[str, Callable[[], SoundFront]] = {
    "mel80": Mel80,
    "fbank104": Fbank104,
    "mfcc13": Mfcc13,
    "wave640": Wave640,
}
_SILENT_ROWS: Mapping[str, tuple[int, float]] = {
    "mel80": (MEL_BANDS, float(np.log(POWER_FLOOR))),
    "fbank104": (FILTER_BANDS, float(np.log(np.finfo(np.float64).eps))),
    "mfcc13": (CEPSTRAL_COEFFICIENTS, 0.0),
    "wave640": (STEP_SAMPLES, 0.0),
}


def silent_steps(kind: str, steps: int) -> FloatArray:
    """Return the features of `steps` grid steps of digital silence from the front end `kind`, (steps, ...)."""
    front = FRONTS[kind]()
    width, level = _SILENT_ROWS[kind]
    return front.steps(np.full((steps, front.per_step, width), level, np.float32))


def log_filterbank(frames: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Log filterbank energies (n, 26) and log energy (n,) of frames (n, 400); zeros are replaced by machine epsilon."""
    power = np.abs(np.fft.rfft(frames, FFT_SIZE)) ** 2 / FFT_SIZE
    smallest = np.finfo(np.float64).eps
    bands, energy = power @ _filters().T, power.sum(1)
    return np.log(np.where(bands == 0, smallest, bands)), np.log(np.where(energy == 0, smallest, energy))


@cache
def _filters() -> Float64Array:
    """Triangular filters on whole bins, evenly spaced on O'Shaughnessy's mel scale from 0 to 8,000 Hz, (26, 257)."""
    top = 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, FILTER_BANDS + 2) / 2595) - 1)
    bins = np.floor((FFT_SIZE + 1) * edges / SAMPLE_RATE_HZ)
    bins_1d = np.arange(FFT_SIZE // 2 + 1)
    low, middle, high = bins[:-2, None], bins[1:-1, None], bins[2:, None]
    rise, fall = (bins_1d - low) / np.maximum(middle - low, 1), (high - bins_1d) / np.maximum(high - middle, 1)
    return np.where(
        (bins_1d >= low) & (bins_1d < middle), rise, np.where((bins_1d >= middle) & (bins_1d < high), fall, 0.0)
    )


@cache
def _cosines() -> Float64Array:
    """Compute the first 13 columns of the orthonormal discrete cosine transform of type II: (26, 13)."""
    n, k = np.arange(FILTER_BANDS)[:, None], np.arange(CEPSTRAL_COEFFICIENTS)[None]
    matrix = np.cos(np.pi * k * (2 * n + 1) / (2 * FILTER_BANDS)) * np.sqrt(2 / FILTER_BANDS)
    matrix[:, 0] /= np.sqrt(2)
    return np.asarray(matrix, np.float64)


@cache
def _lifter() -> Float64Array:
    """Sinusoidal liftering weights (13,)."""
    return 1 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRAL_COEFFICIENTS) / LIFTER)
