"""Speech by its voicing and its rhythm: what hears speech where no network for it was built.

In two seconds of speech the voice comes and goes with the syllables, its pitch glides while it is there, and sounds
with much treble alternate with others. Noise has no voice, notes do not glide, and what hums or rings does not come
and go. Each of these must lie where it does in genuine speech (`LIMITS`), so this is stricter than a network: speech
that is unusual in one respect, or lies in noise, is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from monitor.types import SAMPLE_RATE_HZ, BoolArray, FloatArray

FRAME_SAMPLES, HOP_SAMPLES, FFT_SIZE = 800, 320, 2048
FRAMES = 100
PITCH_HZ = (70.0, 365.0)
# Harmonics above are left out: they are weaker than noise where the pitch still shows.
VOICE_HZ = (60.0, 900.0)
BASS_HZ, TREBLE_HZ = (80.0, 1000.0), 2500.0
# Autocorrelation from which on a frame has a pitch, and by how many decibels a frame may lie below the loudest.
VOICED, LOUD_DB = 0.7, 30.0
# Change of pitch in octaves from one frame to the next: a note holds still, a glide is below a jump.
STEADY, JUMP = 0.004, 0.08

# Where each measure lies in 98 of 100 of 6,655 pasts of genuine speech (half of the people of the second collection).
LIMITS: Mapping[str, tuple[float, float]] = {
    "voiced": (0.15, 0.9),
    "harmonicity": (0.518, 0.923),
    "harmonicity spread": (0.085, 0.273),
    "gliding": (0.364, 0.954),
    "steady": (0.0, 0.333),
    "changes a second": (2.0, 17.5),
    "level spread": (3.353, 14.965),
    "treble spread": (3.928, 18.611),
    "treble": (-37.411, -5.274),
    "treble change": (1.937, 6.531),
    "pitch spread": (0.054, 0.739),
}

Doubles = NDArray[np.float64]


class RhythmPresence:
    """See `monitor.voice.presence.SpeechPresence`."""

    def __init__(self) -> None:
        self._tail: FloatArray = np.zeros(FRAME_SAMPLES - HOP_SAMPLES, np.float32)
        self._past: Doubles = np.zeros((0, 4))

    def __call__(self, samples: FloatArray, sound: BoolArray) -> BoolArray:
        """See `SpeechPresence`; a step is judged by the two seconds that end with it."""
        joined = np.concatenate([self._tail, samples.reshape(-1)])
        self._tail = joined[len(joined) - len(self._tail) :]
        rows = np.concatenate([self._past, frames_of(joined)])
        self._past = rows[max(len(rows) - FRAMES + 1, 0) :]
        per_step = samples.shape[1] // HOP_SAMPLES
        heard = np.zeros(len(sound), np.bool_)
        # The first row of each step's past; a stream that has just begun has none yet.
        first = len(rows) - (len(sound) - 1 - np.arange(len(sound))) * per_step - FRAMES
        asked = np.flatnonzero(sound & (first >= 0))
        if len(asked):
            pasts = sliding_window_view(rows, FRAMES, axis=0)[first[asked]]
            heard[asked] = is_rhythmic(measures(pasts))
        return heard


def frames_of(samples: FloatArray) -> Doubles:
    """Measure every frame of 50 ms, each 20 ms: level (dB), harmonicity, pitch (octaves), treble against bass (dB).

    A high pitch may be taken for a whole fraction of itself.
    """
    if len(samples) < FRAME_SAMPLES:
        return np.zeros((0, 4))
    cut = sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES].astype(np.float64)
    window = np.hanning(FRAME_SAMPLES)
    power = np.abs(np.fft.rfft(cut * window, FFT_SIZE)) ** 2
    hz = np.fft.rfftfreq(FFT_SIZE, 1 / SAMPLE_RATE_HZ)
    lags = np.arange(int(SAMPLE_RATE_HZ / PITCH_HZ[1]), int(SAMPLE_RATE_HZ / PITCH_HZ[0]) + 1)
    voice = power * ((hz >= VOICE_HZ[0]) & (hz <= VOICE_HZ[1]))
    # The window's own autocorrelation is divided out, after Boersma (IFA Proceedings 17, 1993).
    fading = np.fft.irfft(np.abs(np.fft.rfft(window, FFT_SIZE)) ** 2)[lags]
    sums = np.fft.irfft(voice)
    own = sums[:, lags] / np.maximum(sums[:, :1], 1e-12) / (fading / (window**2).sum())
    best = own.argmax(1)
    bands = [power[:, part].sum(1) + 1e-9 for part in (hz > BASS_HZ[0], _within(hz, BASS_HZ), hz > TREBLE_HZ)]
    level, bass, treble = (10 * np.log10(band) for band in bands)
    pitch = np.log2(SAMPLE_RATE_HZ / (lags[0] + best + _between(own, best)))
    return np.stack([level, own[np.arange(len(own)), best], pitch, treble - bass], axis=1)


def _within(hz: NDArray[np.floating], band: tuple[float, float]) -> BoolArray:
    return np.asarray((hz >= band[0]) & (hz <= band[1]), np.bool_)


def _between(rows: Doubles, best: NDArray[np.int64]) -> Doubles:
    """Where between two columns the peak lies, by a parabola through three."""
    at = np.clip(best, 1, rows.shape[1] - 2)
    before, peak, after = (rows[np.arange(len(rows)), at + shift] for shift in (-1, 0, 1))
    bend = np.minimum(before - 2 * peak + after, -1e-9)
    return np.asarray(at - best + np.clip((before - after) / (2 * bend), -1, 1))


def measures(pasts: Doubles) -> dict[str, Doubles]:
    """Measure pasts (n, 4, FRAMES) of frames: by name an array (n,)."""
    level, harmonicity, pitch, treble = pasts.transpose(1, 0, 2)
    loud = level > level.max(1, keepdims=True) - LOUD_DB
    voiced = (harmonicity > VOICED) & loud
    change, both = np.abs(np.diff(pitch)), voiced[:, 1:] & voiced[:, :-1]
    pairs = np.maximum(both.sum(1), 1)
    seconds = FRAMES * HOP_SAMPLES / SAMPLE_RATE_HZ
    return {
        "voiced": voiced.mean(1),
        "harmonicity": _mean(harmonicity, loud),
        "harmonicity spread": _spread(harmonicity, loud),
        "gliding": (both & (change > STEADY) & (change < JUMP)).sum(1) / pairs,
        "steady": (both & (change <= STEADY)).sum(1) / pairs,
        "changes a second": (voiced[:, 1:] != voiced[:, :-1]).sum(1) / seconds,
        "level spread": np.clip(level - level.max(1, keepdims=True), -40, 0).std(1),
        "treble spread": _spread(treble, loud),
        "treble": _mean(treble, loud),
        "treble change": np.abs(np.diff(treble)).mean(1),
        "pitch spread": _spread(pitch, voiced),
    }


def _mean(values: Doubles, mask: BoolArray) -> Doubles:
    return np.asarray((values * mask).sum(1) / np.maximum(mask.sum(1), 1))


def _spread(values: Doubles, mask: BoolArray) -> Doubles:
    return np.sqrt(_mean((values - _mean(values, mask)[:, None]) ** 2, mask))


def is_rhythmic(found: Mapping[str, Doubles]) -> BoolArray:
    """Say where (n,) every measure lies within its `LIMITS`."""
    inside = [(values >= LIMITS[name][0]) & (values <= LIMITS[name][1]) for name, values in found.items()]
    return np.asarray(np.all(inside, axis=0), np.bool_)
