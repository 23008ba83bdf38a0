"""Genuine speech made anew by a machine: what vocoders and converters of voices leave of it, in numpy. 16 kHz mono.

Each takes speech apart into what a synthesiser would be given (spectral envelopes, pitch, mel bands) and makes a wave
of it. `KINDS` names them; `world` is there where the package `pyworld` is, for it is compiled at installation and
belongs to no extra. Nothing here is a neural vocoder.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.types import SAMPLE_RATE_HZ, FloatArray
from monitor.voice.logmel import slaney_filters

Doubles = NDArray[np.float64]
Random = np.random.Generator

_FFT, _HOP, _ROUNDS = 512, 128, 16
_LPC_ORDER, _LPC_FRAME, _LPC_HOP = 18, 480, 160
_PITCH_HZ = (70.0, 400.0)
# Of the peak of an autocorrelation: below it a frame has no pitch.
_VOICED = 0.35
# Cepstral coefficients that are the envelope of a spectrum, and not its pitch.
_ENVELOPE = 28


def griffin_lim(samples: FloatArray, random: Random) -> FloatArray:
    """Give speech back from 80 or 40 mel bands: phases are found in 16 rounds (Griffin and Lim 1984)."""
    spectra = _stft(samples.astype(np.float64))
    filters = slaney_filters(int(random.choice([40, 80])), _FFT, 20.0, 8000.0).astype(np.float64)
    power = np.maximum(np.abs(spectra) ** 2 @ filters @ np.linalg.pinv(filters), 0.0)
    size = np.sqrt(power)
    phase = np.exp(2j * np.pi * random.random(size.shape))
    for _ in range(_ROUNDS):
        again = _stft(_istft(size * phase, len(samples)))
        phase = again / np.maximum(np.abs(again), 1e-9)
    return _whole(_istft(size * phase, len(samples)), samples)


def linear_prediction(samples: FloatArray, random: Random) -> FloatArray:
    """Give speech back from 18 coefficients of linear prediction and a pitch each 10 ms, pulses or noise as source."""
    sound = np.pad(samples.astype(np.float64), (0, _LPC_FRAME))
    out = np.zeros(len(sound) + _LPC_ORDER)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _LPC_FRAME)[::_LPC_HOP]
    until = 0
    for n, frame in enumerate(frames):
        first = n * _LPC_HOP
        source = np.zeros(_LPC_HOP)
        lags = _autocorrelation(frame * np.hanning(_LPC_FRAME))
        period = _period(lags)
        if period:
            until = max(until, first)
            marks = np.arange(until, first + _LPC_HOP, period)
            source[marks - first] = np.sqrt(period)
            until = int(marks[-1] + period) if len(marks) else until
        else:
            source = random.normal(size=_LPC_HOP)
        weights, gain = _levinson(lags)
        for at in range(_LPC_HOP):
            past = out[first + at : first + at + _LPC_ORDER][::-1]
            out[first + at + _LPC_ORDER] = gain * source[at] - weights @ past
    return _whole(out[_LPC_ORDER:][: len(samples)], samples)


def converted(samples: FloatArray, random: Random) -> FloatArray:
    """Move pitch and formants apart from each other, by a phase vocoder (Laroche and Dolson 1999)."""
    pitch = float(random.choice([0.8, 0.88, 1.13, 1.25]) * random.uniform(0.97, 1.03))
    formants = float(random.choice([0.88, 0.94, 1.0, 1.07, 1.14]))
    spectra = _stft(samples.astype(np.float64))
    stretched = _istft(_time_stretched(spectra, 1 / pitch), round(len(samples) * pitch))
    at = np.arange(len(samples)) * pitch
    shifted = np.interp(at, np.arange(len(stretched)), stretched)
    moved = _stft(shifted)
    count = min(len(moved), len(spectra))
    wanted, present = _envelope(spectra[:count]), _envelope(moved[:count])
    bins = np.arange(_FFT // 2 + 1)
    wanted = np.stack([np.interp(bins / formants, bins, row) for row in wanted])
    gain = np.exp(np.clip(wanted - present, -4.0, 4.0))
    return _whole(_istft(moved[:count] * gain, len(samples)), samples)


def world(samples: FloatArray, random: Random) -> FloatArray:
    """Give speech back by WORLD (Morise et al. 2016), half of the time with another pitch and other formants."""
    pyworld: Any = importlib.import_module("pyworld")
    sound = np.ascontiguousarray(samples, np.float64)
    coarse, times = pyworld.dio(sound, SAMPLE_RATE_HZ)
    pitch = pyworld.stonemask(sound, coarse, times, SAMPLE_RATE_HZ)
    envelope = pyworld.cheaptrick(sound, pitch, times, SAMPLE_RATE_HZ)
    noise = pyworld.d4c(sound, pitch, times, SAMPLE_RATE_HZ)
    if random.random() < 0.5:
        pitch = pitch * float(random.uniform(0.75, 1.35))
        bins, scale = np.arange(envelope.shape[1]), float(random.uniform(0.87, 1.15))
        envelope = np.ascontiguousarray([np.interp(bins / scale, bins, row) for row in envelope])
    return _whole(np.asarray(pyworld.synthesize(pitch, envelope, noise, SAMPLE_RATE_HZ)), samples)


KINDS: Mapping[str, Callable[[FloatArray, Random], FloatArray]] = {
    "griffin-lim": griffin_lim,
    "linear prediction": linear_prediction,
    "phase vocoder": converted,
    "world": world,
}


def installed() -> tuple[str, ...]:
    """Name the kinds that can be made here."""
    return tuple(kind for kind in KINDS if kind != "world" or find_spec("pyworld") is not None)


def _whole(sound: Doubles, samples: FloatArray) -> FloatArray:
    """Give what was made the length and the level of what it was made of."""
    out = np.resize(np.pad(sound, (0, max(len(samples) - len(sound), 0))), len(samples))
    level = float(np.sqrt(np.mean(out**2))) or 1.0
    return np.clip(out * float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) / level, -1, 1).astype(np.float32)


def _stft(sound: Doubles) -> NDArray[np.complex128]:
    padded = np.pad(sound, (_FFT // 2, _FFT))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    return np.asarray(np.fft.rfft(frames * _window()))


def _istft(spectra: NDArray[np.complex128], length: int) -> Doubles:
    pieces = np.fft.irfft(spectra, _FFT) * _window()
    out, weight = np.zeros((len(pieces) - 1) * _HOP + _FFT), np.full((len(pieces) - 1) * _HOP + _FFT, 1e-9)
    for n, piece in enumerate(pieces):
        out[n * _HOP : n * _HOP + _FFT] += piece
        weight[n * _HOP : n * _HOP + _FFT] += _window() ** 2
    whole = (out / np.maximum(weight, 0.1))[_FFT // 2 :]
    return np.asarray(np.pad(whole, (0, max(length - len(whole), 0)))[:length])


def _window() -> Doubles:
    return np.asarray(np.hanning(_FFT + 1)[:-1])


def _time_stretched(spectra: NDArray[np.complex128], rate: float) -> NDArray[np.complex128]:
    """Give spectra at other moments, each phase going on by what it turns between two of the old ones."""
    at = np.arange(0, len(spectra) - 1, rate)
    low = at.astype(int)
    share = (at - low)[:, None]
    size = (1 - share) * np.abs(spectra[low]) + share * np.abs(spectra[low + 1])
    turn = np.angle(spectra[low + 1]) - np.angle(spectra[low])
    phase = np.angle(spectra[0]) + np.concatenate([np.zeros((1, turn.shape[1])), np.cumsum(turn, axis=0)[:-1]])
    return np.asarray(size * np.exp(1j * phase))


def _envelope(spectra: NDArray[np.complex128]) -> Doubles:
    """Give the logarithm of the envelope of spectra, by the low end of their cepstrum."""
    cepstrum = np.fft.irfft(np.log(np.abs(spectra) + 1e-6))
    cepstrum[:, _ENVELOPE:-_ENVELOPE] = 0
    return np.asarray(np.fft.rfft(cepstrum).real)


def _autocorrelation(frame: Doubles) -> Doubles:
    power = np.abs(np.fft.rfft(frame, 2 * len(frame))) ** 2
    return np.asarray(np.fft.irfft(power)[: len(frame)])


def _period(lags: Doubles) -> int:
    """Find the samples from one pulse of the voice to the next; 0 where there is none."""
    low, high = (round(SAMPLE_RATE_HZ / hz) for hz in reversed(_PITCH_HZ))
    peak = low + int(np.argmax(lags[low:high]))
    return peak if lags[peak] > _VOICED * max(float(lags[0]), 1e-9) else 0


def _levinson(lags: Doubles) -> tuple[Doubles, float]:
    """Solve for the weights of linear prediction, and the size of what they leave (Durbin 1960)."""
    error, weights = float(lags[0]) * 1.0001 + 1e-9, np.zeros(0)
    for order in range(1, _LPC_ORDER + 1):
        reflection = -(lags[order] + weights @ lags[order - 1 : 0 : -1]) / error
        weights = np.concatenate([weights + reflection * weights[::-1], [reflection]])
        error *= 1 - reflection**2
    return weights, float(np.sqrt(max(error, 1e-12) / _LPC_FRAME))
