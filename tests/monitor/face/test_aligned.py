"""The chip that the identity encoder sees: the face on the mean face, whatever its place, size and turn.

The golden chip is dlib's own of the same points (`tests/golden/identity.py`). Tolerance: 1 grey level in the mean and
6 in all but one of a hundred values: where the picture ends, one may be black and the other not. Measured: 0.7 and 3.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monitor.face.aligned import CHIP_LANDMARKS, CHIP_PX, MEAN_FACE, PADDING_RATIO, align, align_shot, chips
from monitor.face.geometry import canonical, fit_pose, rigid_points
from monitor.face.shot import FaceShot
from monitor.types import ByteArray, FloatArray
from tests.engines.test_dlib_face import GOLDEN
from tests.golden import identity

TARGET = (np.array(MEAN_FACE) + PADDING_RATIO) / (1 + 2 * PADDING_RATIO) * CHIP_PX


def marks(points: FloatArray) -> FloatArray:
    """468 landmarks of which five are known."""
    landmarks = np.zeros((468, 3), np.float32)
    landmarks[list(CHIP_LANDMARKS), :2] = points
    return landmarks


def test_the_chip_is_that_of_dlib() -> None:
    with np.load(GOLDEN) as archive:
        want = archive["chip"].astype(np.float64)
    # dlib counts pixels from their centres.
    points = np.array(identity.POINTS, np.float32) + 0.5
    got = align(identity.scene(), marks(points))[:: identity.EVERY, :: identity.EVERY]
    difference = np.abs(got - want)
    assert difference.mean() < 1
    assert np.quantile(difference, 0.99) < 6


def dotted(points: FloatArray, size: int) -> ByteArray:
    """A black picture with a white spot at each point."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    spots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * (size / 75) ** 2)) for px, py in points]
    return np.repeat((255 * np.max(spots, axis=0)).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize(("size", "turn", "scale"), [(150, 0.0, 1.0), (224, 0.4, 1.3), (600, -0.5, 3.6)])
def test_the_points_land_on_the_mean_face(size: int, turn: float, scale: float) -> None:
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    points = (TARGET - CHIP_PX / 2) @ np.array([[cos, sin], [-sin, cos]]) + size / 2
    chip = align(dotted(points.astype(np.float32), size), marks(points.astype(np.float32)))
    assert chip.shape == (CHIP_PX, CHIP_PX, 3)
    assert chip.dtype == np.uint8
    for x, y in TARGET:
        assert chip[int(y), int(x), 0] > 120
    assert chip[int(TARGET[4, 1]) + 20, int(TARGET[4, 0]), 0] < 60


def test_a_large_picture_is_averaged_and_not_sampled() -> None:
    checks = np.indices((900, 900)).sum(0) % 2 * 255
    picture = np.repeat(checks.astype(np.uint8)[:, :, None], 3, axis=2)
    chip = align(picture, marks((TARGET * 6).astype(np.float32)))
    assert abs(float(chip.mean()) - 127) < 2
    assert float(chip.std()) < 4


def test_what_lies_outside_the_picture_is_black() -> None:
    white = np.full((60, 60, 3), 255, np.uint8)
    chip = align(white, marks((TARGET - 45).astype(np.float32)))
    assert chip[0, 0].tolist() == [0, 0, 0]
    assert chip[75, 75].tolist() == [255, 255, 255]


def test_chips_are_the_batch_that_the_encoder_takes() -> None:
    landmarks = canonical() * 80 + np.array([112, 100, 0], np.float32)
    gradient = np.asarray(Image.linear_gradient("L").resize((224, 224)))
    picture = np.stack([gradient, gradient.T, np.full_like(gradient, 7)], axis=-1)
    shot = FaceShot(0.0, picture, landmarks, fit_pose(rigid_points(landmarks)), 100.0, 0.1)
    batch = chips([shot, shot])
    assert batch.shape == (2, 3, CHIP_PX, CHIP_PX)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    np.testing.assert_array_equal(batch[1].transpose(1, 2, 0), align_shot(shot))
    assert batch[0, 2].max() == 7
