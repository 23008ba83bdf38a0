"""What the voice encoder takes: 160 frames of power in 40 mel bands, of 1.6 s of speech without pauses. Pure.

As Resemblyzer 0.1.4 makes them (its `hparams.py` and `audio.py`): 25 ms (Hann) every 10 ms, Slaney's filters from 0 to
8,000 Hz, power and not its logarithm, speech at -30 dB of full scale. There only quiet recordings are made louder, all
of one by the same; here each piece is brought to that level from either side, so that a loud microphone and one that
regulates itself are heard alike.
"""

from __future__ import annotations

import numpy as np

from monitor.types import SAMPLE_RATE_HZ, FloatArray
from monitor.voice.logmel import HOP_SAMPLES, WINDOW_SAMPLES, slaney_filters

FRAMES, BANDS = 160, 40
PIECE_SAMPLES = (FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES
LEVEL_DB = -30.0
# Below this there is nothing to make louder.
_MIN_RMS = 1e-5
_ROWS = 16
_WINDOW = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)


def levelled(samples: FloatArray) -> FloatArray:
    """Bring speech (N,) to `LEVEL_DB` of full scale; silence stays what it is."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    if rms < _MIN_RMS:
        return samples
    return np.asarray(samples * np.float32(10 ** (LEVEL_DB / 20) / rms), np.float32)


def mel40(samples: FloatArray) -> FloatArray:
    """Give the frames (160, 40) of a piece of speech (PIECE_SAMPLES,), in -1..1."""
    windows = np.lib.stride_tricks.sliding_window_view(levelled(samples), WINDOW_SAMPLES)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(windows * _WINDOW)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    filters = slaney_filters(BANDS, WINDOW_SAMPLES, 0.0, SAMPLE_RATE_HZ / 2)
    # A few rows at once: a library that finds them many starts threads, which cost ten times what they save.
    rows = [power[first : first + _ROWS] @ filters for first in range(0, FRAMES, _ROWS)]
    return np.concatenate(rows).astype(np.float32)
