"""Frames, stamps and sounds made on the spot."""

from __future__ import annotations

import numpy as np

from monitor.types import SAMPLE_RATE_HZ, AudioBlock, ByteArray, ClockState, FloatArray, Stamp, VideoFrame


def stamp(at: float) -> Stamp:
    """A stamp whose clocks all read the same."""
    return Stamp(at, at, 0.0, ClockState.MAPPED, at)


def frame(luma: ByteArray, at: float = 0.0, *, full_range: bool = False) -> VideoFrame:
    """A grey picture of the luma plane given."""
    chroma = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, np.uint8)
    return VideoFrame(stamp(at), luma, chroma, chroma.copy(), full_range)


def moved(of: VideoFrame, at: float) -> VideoFrame:
    """The same picture at another moment."""
    return VideoFrame(stamp(at), of.y, of.u, of.v, of.full_range)


def block(samples: FloatArray, at: float) -> AudioBlock:
    """Audio whose first sample is at second `at`."""
    return AudioBlock(stamp(at), samples)


def vowel(seconds: float, seed: int = 0) -> FloatArray:
    """Harmonics of a gliding pitch under two formants, in four syllables a second: speech to a voice detector."""
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 0.7 * at)) / SAMPLE_RATE_HZ
    sound = np.zeros_like(at)
    for k in range(1, 25):
        hz = 140 * k
        sound += (np.exp(-(((hz - 600) / 250) ** 2)) + 0.6 * np.exp(-(((hz - 1700) / 350) ** 2))) * np.sin(k * phase)
    sound *= 0.55 + 0.45 * np.sin(2 * np.pi * 4 * at)
    noise = np.random.default_rng(seed).normal(0, 0.002, len(at))
    return np.asarray(0.1 * sound + noise, np.float32)
