"""How well a recording shows a voice: how far it lies above the noise, which bands it has, whether it is cut off. Pure.

Pieces of speech hold no long pauses, so the noise is what is left between the sounds of speech: the quietest frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.types import SAMPLE_RATE_HZ, FloatArray

# 32 ms, half of each new.
_FRAME, _HOP = 512, 256
_QUIET, _LOUD = 0.05, 0.9
# Below this a voice should be recorded again: 28 of 29 recordings of phones, webcams and stages lie at 12 to 39 dB, and
# with noise 5 dB under the speech all of them at 5 to 10.6.
MIN_ABOVE_NOISE_DB = 11.0
# What a telephone samples at 8 kHz ends here.
MAX_TELEPHONE_HZ = 4_000.0
# The highest band whose power is within so much of the strongest one's is the end of what was recorded.
_BAND_DB = 55.0
MAX_CUT_SHARE = 0.005
_CUT_LEVEL = 0.985


@dataclass(frozen=True, slots=True)
class SpeechQuality:
    """Of one recording's speech: decibels above its noise, the highest frequency (Hz), the share that is cut off."""

    above_noise_db: float
    band_hz: float
    cut_share: float

    def problems(self) -> Iterator[str]:
        """Say what to do better, a line each."""
        if self.above_noise_db < MIN_ABOVE_NOISE_DB:
            yield f"in a quieter room: the voice lies only {self.above_noise_db:.0f} dB above the noise"
        if self.band_hz <= MAX_TELEPHONE_HZ:
            yield f"without a telephone: there is nothing above {self.band_hz / 1000:.1f} kHz in it"
        if self.cut_share > MAX_CUT_SHARE:
            yield "with the microphone turned down: the loudest of the voice is cut off"


def speech_quality(pieces: FloatArray) -> SpeechQuality | None:
    """Measure pieces of speech (N, samples) at 16 kHz; None without any."""
    sound = np.asarray(pieces, np.float64).reshape(-1)
    if len(sound) < _FRAME:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME))) ** 2
    energy = power.sum(axis=1)
    quiet, loud = np.quantile(energy, [_QUIET, _LOUD])
    spectrum = power[energy >= loud].mean(axis=0)
    bands = spectrum.reshape(-1)[: _FRAME // 2].reshape(-1, 8).mean(axis=1)
    heard = np.flatnonzero(bands >= bands.max() * 10 ** (-_BAND_DB / 10))
    band_hz = (int(heard[-1]) + 1) * SAMPLE_RATE_HZ / 2 / len(bands)
    cut = float((np.abs(sound) >= _CUT_LEVEL).mean())
    return SpeechQuality(float(10 * np.log10(max(loud, 1e-12) / max(quiet, 1e-12))), band_hz, cut)


def advice(names: Sequence[str], clips: Sequence[SpeechQuality | None]) -> list[str]:
    """Say which recordings to make again, and how."""
    return [
        f"record {name} again {problem}"
        for name, clip in zip(names, clips, strict=True)
        if clip is not None
        for problem in clip.problems()
    ]
