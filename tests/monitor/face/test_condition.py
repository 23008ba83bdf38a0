from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from monitor.face.condition import CONDITIONS, measure_condition
from monitor.face.geometry import Pose
from monitor.face.shot import FaceShot
from monitor.types import ByteArray


def textured(seed: int = 0) -> ByteArray:
    """Noise at several scales, like skin and hair."""
    random = np.random.default_rng(seed)
    whole = np.full((224, 224, 3), 128.0)
    for size in (14, 56, 224):
        part = Image.fromarray(random.integers(0, 255, (size, size), np.uint8)).resize((224, 224))
        whole += (np.asarray(part, np.float32)[..., None] - 128) * 0.25
    return np.asarray(np.clip(whole, 0, 255), np.uint8)


def shot(picture: ByteArray, size: float = 180.0, sharpness: float = 0.2) -> FaceShot:
    landmarks = np.zeros((468, 3), np.float32)
    landmarks[:, :2] = np.linspace(22, 202, 468)[:, None]
    pose = Pose(1.0, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    return FaceShot(0.0, picture, landmarks, pose, size, sharpness)


def measured(picture: ByteArray, size: float = 180.0) -> dict[str, float]:
    return dict(zip(CONDITIONS, measure_condition(shot(picture, size)).tolist(), strict=True))


def blurred(picture: ByteArray, radius: float) -> ByteArray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def test_blur_takes_fine_detail_first() -> None:
    sharp, soft, softer = (measured(p) for p in (textured(), blurred(textured(), 1), blurred(textured(), 3)))
    assert sharp["fine"] > soft["fine"] > softer["fine"]
    assert sharp["middle"] > softer["middle"]


def test_size_is_told_in_octaves() -> None:
    assert measured(textured(), 200)["size"] - measured(textured(), 100)["size"] == pytest.approx(1)


def test_light_does_not_look_like_blur() -> None:
    dark = (textured() * 0.6).astype(np.uint8)
    assert measured(dark)["light"] < measured(textured())["light"]
    assert measured(dark)["fine"] == pytest.approx(measured(textured())["fine"], abs=0.1)


def test_block_edges_show_where_the_grid_is() -> None:
    picture = blurred(textured(), 2)
    tiles = np.kron(np.random.default_rng(1).integers(-12, 12, (28, 28)), np.ones((8, 8)))
    blocky = np.clip(picture + tiles[..., None], 0, 255).astype(np.uint8)
    assert measured(blocky)["blocks"] > 3 * measured(picture)["blocks"]


def test_blocks_are_not_looked_for_where_they_cannot_be_seen() -> None:
    assert measured(textured(), size=1000.0)["blocks"] == 0
    assert measured(textured(), size=10.0)["blocks"] == 0


def test_a_flat_picture_is_measured_too() -> None:
    found = measure_condition(shot(np.zeros((224, 224, 3), np.uint8), size=0.0, sharpness=0.0))
    assert np.isfinite(found).all()
