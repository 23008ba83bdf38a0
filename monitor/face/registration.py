"""How far what two pictures show lies apart, by phase correlation. Pure.

After Kuglin and Hines (The phase correlation image alignment method, 1975): the cross power spectrum of two pictures,
brought to equal strength, is that of a peak at their shift. Here it is brought half of the way: a face has little in
high frequencies but the noise of the camera.
"""

from __future__ import annotations

import numpy as np

from monitor.types import ByteArray, FloatArray

# A side of the pictures in pixels. Shifts are known to about a pixel, and up to half a side.
SIDE = 48
_WEIGHTS = np.outer(np.hanning(SIDE), np.hanning(SIDE)).astype(np.float32)
_LEAST = np.float32(1e-6)


def shift_between(before: ByteArray, after: ByteArray) -> tuple[float, float]:
    """Return by how many pixels (x, y) what `before` shows has moved in `after`; both (SIDE, SIDE).

    Nothing says how sure it is: pictures that show different things give a shift as well.
    """
    across = np.fft.rfft2(_weighted(after)) * np.conj(np.fft.rfft2(_weighted(before)))
    peaks = np.fft.irfft2(across / (np.sqrt(np.abs(across)) + _LEAST), (SIDE, SIDE)).astype(np.float32)
    row, column = divmod(int(peaks.argmax()), SIDE)
    return _place(peaks[row], column), _place(peaks[:, column], row)


def _weighted(picture: ByteArray) -> FloatArray:
    mean = np.add.reduce(picture, None, np.float32) / np.float32(picture.size)
    return np.asarray((picture - mean) * _WEIGHTS, np.float32)


def _place(line: FloatArray, peak: int) -> float:
    """Give where the top of a parabola through a peak and its neighbours lies, from -SIDE / 2 on."""
    left, top, right = (float(line[(peak + step) % SIDE]) for step in (-1, 0, 1))
    bend = left - 2 * top + right
    off = (left - right) / (2 * bend) if bend < 0 else 0.0
    return (peak if peak <= SIDE // 2 else peak - SIDE) + off
