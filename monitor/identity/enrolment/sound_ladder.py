"""The ladder of call conditions for a voice: enrolled speech as lines of all kinds would carry it.

A comparison across conditions finds the condition, not the person. So the speech of an enrolment is sent through the
real coder at the rates of calls, through a telephone's band, and through the suppression of noise that programs for
calls do before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from monitor.identity.enrolment.opus_line import opus
from monitor.types import SAMPLE_RATE_HZ, FloatArray

# A telephone's band (ITU-T G.712).
TELEPHONE_HZ = (300.0, 3400.0)
# Spectral subtraction in frames of 32 ms, half of each new: the power that a tenth of the frames stays
# under is a ninth of the mean of noise; half more than the mean is subtracted, and no more than 18 dB taken off.
_FRAME, _HOP, _NOISE_QUANTILE, _SUBTRACTED, _FLOOR = 512, 256, 0.1, 15.0, 10 ** (-18 / 20)


@dataclass(frozen=True, slots=True)
class SoundStep:
    """One rung: what its line does to 16 kHz mono (N,), which keeps its length."""

    name: str
    line: Callable[[FloatArray], FloatArray]


def through_opus(samples: FloatArray, bitrate: int) -> FloatArray:
    """Send sound through Opus at `bitrate` bit/s, without loss."""
    return opus(samples, bitrate, 0.0, np.random.default_rng(0))


def narrowband(samples: FloatArray) -> FloatArray:
    """Leave a telephone's band."""
    spectrum, hz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    spectrum[(hz < TELEPHONE_HZ[0]) | (hz > TELEPHONE_HZ[1])] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def suppress_noise(samples: FloatArray) -> FloatArray:
    """Take steady noise off, as programs for calls do, speech losing what lies near the noise."""
    window = np.sqrt(np.hanning(_FRAME + 1)[:-1])
    padded = np.pad(samples.astype(np.float64), (_FRAME, 2 * _FRAME))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    spectra = np.fft.rfft(frames * window)
    power = np.abs(spectra) ** 2
    noise = np.quantile(power, _NOISE_QUANTILE, axis=0)
    gain = np.sqrt(np.clip(1 - _SUBTRACTED * noise / np.maximum(power, 1e-12), _FLOOR**2, 1.0))
    pieces = np.fft.irfft(spectra * gain, _FRAME) * window
    out = np.zeros(len(padded))
    for n, piece in enumerate(pieces):
        out[n * _HOP : n * _HOP + _FRAME] += piece
    return out[_FRAME : _FRAME + len(samples)].astype(np.float32)


SOUND_RUNGS: tuple[SoundStep, ...] = (
    SoundStep("as recorded", lambda samples: samples),
    SoundStep("24 kbit/s", lambda samples: through_opus(samples, 24_000)),
    SoundStep("12 kbit/s", lambda samples: through_opus(samples, 12_000)),
    SoundStep("telephone band", narrowband),
    SoundStep("noise suppressed", lambda samples: through_opus(suppress_noise(samples), 24_000)),
)


def sound_rungs(samples: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    """Yield each rung's name and the sound (N,) as its line carries it."""
    for step in SOUND_RUNGS:
        yield step.name, step.line(samples)
