"""Pictures that stand in for faces, made from a seed, so that no photograph is committed.

Numpy only: the converter's environment runs this too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COUNT = 4


def picture(size: int, seed: int) -> NDArray[np.float32]:
    """An RGB picture (size, size, 3) in [0, 1]: a drawn face on noise; the seed moves, scales and lights it."""
    draw = np.random.default_rng(seed)
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    centre_x, centre_y = 0.5 + draw.uniform(-0.06, 0.06, 2)
    scale = draw.uniform(0.26, 0.34)
    light = draw.uniform(0.6, 1.0)
    image = np.empty((size, size, 3))
    image[:] = draw.uniform(0.1, 0.5, 3)

    def blob(dx: float, dy: float, wide: float, high: float, colour: tuple[float, float, float]) -> None:
        distance = np.hypot((x - centre_x - dx * scale) / (wide * scale), (y - centre_y - dy * scale) / (high * scale))
        weight = np.clip((1.15 - distance) / 0.3, 0.0, 1.0)[..., None]
        image[:] = image * (1 - weight) + np.array(colour) * light * weight

    blob(0, -0.25, 1.05, 1.3, (0.2, 0.13, 0.1))
    blob(0, 0, 0.9, 1.2, (0.85, 0.65, 0.55))
    for side in (-1, 1):
        blob(side * 0.36, -0.42, 0.22, 0.05, (0.25, 0.16, 0.12))
        blob(side * 0.36, -0.22, 0.17, 0.09, (0.95, 0.95, 0.95))
        blob(side * 0.36, -0.22, 0.08, 0.09, (0.1, 0.08, 0.08))
    blob(0, 0.12, 0.12, 0.26, (0.75, 0.53, 0.45))
    blob(0, 0.55, 0.34, 0.08 + 0.1 * draw.uniform(), (0.65, 0.25, 0.27))
    return np.clip(image + draw.normal(0, 0.02, image.shape), 0, 1).astype(np.float32)


def detector_images() -> NDArray[np.float32]:
    """Inputs of `face_detector`: (4, 128, 128, 3) in [-1, 1]; the last is noise without a face."""
    return np.stack([picture(128, seed) for seed in range(COUNT - 1)] + [noise(128)]) * 2 - 1


def landmark_images() -> NDArray[np.float32]:
    """Inputs of `face_landmarks`: (4, 192, 192, 3) in [0, 1]; the last is noise without a face."""
    return np.stack([picture(192, 10 + seed) for seed in range(COUNT - 1)] + [noise(192)])


def noise(size: int) -> NDArray[np.float32]:
    """Uniform noise (size, size, 3) in [0, 1]."""
    return np.random.default_rng(99).random((size, size, 3), np.float32)
