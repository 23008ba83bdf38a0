"""The imaging condition of a face: size, blur, lost detail, block edges, light. Pure.

Scores of faces depend on these more than on most forgeries (`docs/detection.md`), so faces are compared under like
conditions. Everything is measured on the crop that the encoders see; nothing is asked of the sender.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitor.face.shot import FaceShot
from monitor.types import FloatArray

CONDITIONS = ("size", "sharpness", "fine", "middle", "blocks", "light", "contrast")
_MIN_VALUE = 1e-3
_CODEC_BLOCK_PX = 8
_MIN_PERIOD_PX = 4


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
            np.log(max(shot.sharpness, _MIN_VALUE)),
            np.log(max(fine / max(spread, 1.0), _MIN_VALUE)),
            np.log(max(middle / max(spread, 1.0), _MIN_VALUE)),
            _blocks(inner, _CODEC_BLOCK_PX * zoom),
            float(inner.mean()) / 255,
            spread / 255,
        ],
        np.float32,
    )


def _detail(luma: FloatArray) -> tuple[float, float]:
    """Mean absolute detail lost by averaging 2 x 2, and further lost by averaging 4 x 4."""
    half = _shrink(luma)
    quarter = _shrink(half)
    fine = float(np.abs(luma - np.kron(half, np.ones((2, 2), np.float32))).mean())
    return fine, float(np.abs(half - np.kron(quarter, np.ones((2, 2), np.float32))).mean())


def _shrink(luma: FloatArray) -> FloatArray:
    height, width = luma.shape
    return np.asarray(luma.reshape(height // 2, 2, width // 2, 2).mean((1, 3)), np.float32)


def _blocks(luma: FloatArray, period: float) -> float:
    """How strongly gradients repeat every `period` pixels: the amplitude of that frequency over their mean."""
    if not _MIN_PERIOD_PX <= period <= luma.shape[0] / 3:
        return 0.0
    across = np.abs(np.diff(luma, 2, axis=1)).mean(0)
    down = np.abs(np.diff(luma, 2, axis=0)).mean(1)
    return float((_periodicity(across, period) + _periodicity(down, period)) / 2)


def _periodicity(profile: NDArray[np.floating], period: float) -> float:
    positions = np.arange(len(profile))
    # A window of whole periods, so that the mean does not leak into the frequency.
    count = int(int(len(profile) / period) * period)
    part = profile[:count] - profile[:count].mean()
    wave = np.exp(-2j * np.pi * positions[:count] / period)
    return float(2 * abs((part * wave).mean()) / max(float(profile.mean()), _MIN_VALUE))
