"""Log-mel frames at 100 Hz from 16 kHz audio, streaming: the same numbers whatever the size of the pieces fed in.

Frame j looks at the 400 samples (25 ms, Hann) around sample 160 j. Mel filters are Slaney's, 80 from 20 to 7,600 Hz;
the logarithm is natural over power plus 1e-6.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from monitor.types import SAMPLE_RATE_HZ, FloatArray

HOP = 160
WINDOW = 400
FFT = 512
MELS = 80
FLOOR = 1e-6


@cache
def mel_filters() -> FloatArray:
    """Triangular filters, (257, 80)."""
    edges = _mel_to_hz(np.linspace(_hz_to_mel(20.0), _hz_to_mel(7600.0), MELS + 2))
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, FFT // 2 + 1)[:, None]
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
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


def frames(samples: FloatArray) -> FloatArray:
    """Log-mel of every whole 400-sample window of `samples` at hops of 160: (N,) to ((N - 400) // 160 + 1, 80)."""
    count = (len(samples) - WINDOW) // HOP + 1
    if count < 1:
        return np.zeros((0, MELS), np.float32)
    pieces = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]
    spectrum = np.fft.rfft(pieces * _window(), FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(power @ mel_filters() + FLOOR), np.float32)


class LogMel:
    """Streaming `frames`: frame j is centred on sample 160 j of the stream."""

    def __init__(self) -> None:
        self._tail: FloatArray = np.zeros(WINDOW // 2, np.float32)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Give the frames that the new samples complete, (n, 80), n >= 0."""
        joined = np.concatenate([self._tail, samples])
        out = frames(joined)
        self._tail = joined[len(out) * HOP :]
        return out
