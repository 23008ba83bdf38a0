"""Log-mel frames at 100 Hz from 16 kHz audio, streaming: the same features however the audio is split.

Frame j is computed from the 400 samples (25 ms, Hann) around sample 160 j. The 80 mel filters are Slaney's, from 20 to
7,600 Hz; the logarithm is natural, of power plus 1e-6.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from monitor.types import SAMPLE_RATE_HZ, FloatArray

HOP_SAMPLES = 160
WINDOW_SAMPLES = 400
FFT_SIZE = 512
MEL_BANDS = 80
POWER_FLOOR = 1e-6


def mel_filters() -> FloatArray:
    """Compute the filters of these features, (257, 80)."""
    return slaney_filters(MEL_BANDS, FFT_SIZE, 20.0, 7600.0)


@cache
def slaney_filters(bands: int, fft_size: int, low_hz: float, high_hz: float) -> FloatArray:
    """Compute Slaney's triangular filters, (fft_size / 2 + 1, bands), for power spectra of 16 kHz audio."""
    edges = _mel_to_hz(np.linspace(_hz_to_mel(low_hz), _hz_to_mel(high_hz), bands + 2))
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, fft_size // 2 + 1)[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))
    return weights.astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    return hz / (200 / 3) if hz < 1000 else 15 + float(np.log(hz / 1000)) / (np.log(6.4) / 27)


def _mel_to_hz(mel: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.float64]:
    return np.where(mel < 15, mel * (200 / 3), 1000 * np.exp((mel - 15) * (np.log(6.4) / 27)))


@cache
def _window() -> FloatArray:
    return np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)


def frames(samples: FloatArray) -> FloatArray:
    """Log-mel of every whole 400-sample window of `samples` at hops of 160: (N,) to ((N - 400) // 160 + 1, 80)."""
    count = (len(samples) - WINDOW_SAMPLES) // HOP_SAMPLES + 1
    if count < 1:
        return np.zeros((0, MEL_BANDS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[::HOP_SAMPLES][:count]
    spectrum = np.fft.rfft(windows * _window(), FFT_SIZE)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(power @ mel_filters() + POWER_FLOOR), np.float32)


class LogMel:
    """Streaming `frames`: frame j is centred on sample 160 j of the stream."""

    def __init__(self) -> None:
        self._tail: FloatArray = np.zeros(WINDOW_SAMPLES // 2, np.float32)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Return the frames that the new samples complete, (n, 80)."""
        joined = np.concatenate([self._tail, samples])
        rows = frames(joined)
        self._tail = joined[len(rows) * HOP_SAMPLES :]
        return rows
