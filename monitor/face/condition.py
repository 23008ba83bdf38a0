"""What a picture of a face went through before it came here: size, blur, lost detail, block edges, light. Pure.

Scores of faces move with these more than with most forgeries (`docs/detection.md`), so what is compared is compared in
like conditions. Everything is read off the crop that the encoders see; nothing is asked of the sender.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.face.shot import FaceShot
from monitor.types import FloatArray

CONDITIONS = ("size", "sharpness", "fine", "middle", "blocks", "light", "contrast")
_LEAST = 1e-3
_BLOCK = 8
_BINS = 4


def measure_condition(shot: FaceShot) -> FloatArray:
    """Measure a shot, (C,) in the order of `CONDITIONS`.

    Size is the binary logarithm of the face's height in pixels of the frame; sharpness (at the mouth) and the share of
    fine and middle detail are natural logarithms; blocks say how much stronger edges are on the codec's 8-pixel grid
    than beside it, 0 where the crop is too coarse to show it; light and contrast are in 0..1.
    """
    luma = shot.picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    inner = luma[16:-16, 16:-16]
    spread = float(inner.std())
    fine, middle = _detail(inner)
    height = float(np.ptp(shot.landmarks[:, 1]))
    # How many pixels of the crop a pixel of the frame takes up.
    zoom = height / max(shot.size, 1.0)
    return np.array(
        [
            np.log2(max(shot.size, 1.0)),
            np.log(max(shot.sharpness, _LEAST)),
            np.log(max(fine / max(spread, 1.0), _LEAST)),
            np.log(max(middle / max(spread, 1.0), _LEAST)),
            _blocks(inner, _BLOCK * zoom),
            float(inner.mean()) / 255,
            spread / 255,
        ],
        np.float32,
    )


def _detail(luma: FloatArray) -> tuple[float, float]:
    """Mean size of what is lost by averaging 2 x 2, and of what is lost besides by averaging 4 x 4."""
    half = _shrink(luma)
    quarter = _shrink(half)
    fine = float(np.abs(luma - np.kron(half, np.ones((2, 2), np.float32))).mean())
    return fine, float(np.abs(half - np.kron(quarter, np.ones((2, 2), np.float32))).mean())


def _shrink(luma: FloatArray) -> FloatArray:
    height, width = luma.shape
    return np.asarray(luma.reshape(height // 2, 2, width // 2, 2).mean((1, 3)), np.float32)


def _blocks(luma: FloatArray, period: float) -> float:
    """Find how strongly gradients repeat every `period` pixels: the amplitude of that rhythm over their mean."""
    if not _BINS <= period <= luma.shape[0] / 3:
        return 0.0
    across = np.abs(np.diff(luma, 2, axis=1)).mean(0)
    down = np.abs(np.diff(luma, 2, axis=0)).mean(1)
    return float((_rhythm(across, period) + _rhythm(down, period)) / 2)


def _rhythm(profile: NDArray[np.floating], period: float) -> float:
    at = np.arange(len(profile))
    # A window of whole periods, so that the mean leaks nothing into the rhythm.
    count = int(int(len(profile) / period) * period)
    part = profile[:count] - profile[:count].mean()
    wave = np.exp(-2j * np.pi * at[:count] / period)
    return float(2 * abs((part * wave).mean()) / max(float(profile.mean()), _LEAST))
