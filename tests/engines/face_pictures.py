"""Faces drawn by hand: an oval, eyes and a mouth where MediaPipe's mean face has them, so that no data are needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

import monitor.face.geometry as geometry
from engines.nets import mobilenet
from engines.training.faces import CROP_PIXELS, REACH, Face


def landmarks() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The canonical face in the pixels of a crop, (468, 2)."""
    points = np.load(Path(geometry.__file__).with_name("canonical.npy"))[:, :2]
    low, high = points.min(0), points.max(0)
    side = REACH * (high - low).max()
    return np.asarray((points - (low + high) / 2) / side * CROP_PIXELS + CROP_PIXELS / 2, np.float32)


def face(seed: int, fold: str = "train", still: bool = True) -> Face:
    """A face with its own colours, light and grain."""
    random = np.random.default_rng(seed)
    points = landmarks()
    skin, behind, dark = (tuple(int(n) for n in random.integers(low, low + 90, 3)) for low in (130, 20, 10))
    image = Image.new("RGB", (CROP_PIXELS, CROP_PIXELS), behind)
    pen = ImageDraw.Draw(image)
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    pen.ellipse((x0, y0, x1, y1), fill=skin)
    for spots in ((33, 133), (362, 263), (61, 291)):
        (a, b), (c, d) = points[list(spots)].min(0), points[list(spots)].max(0)
        pen.ellipse((a, b - 5, c, d + 5), fill=dark)
    smooth = np.asarray(image.filter(ImageFilter.GaussianBlur(1.0)), np.float32)
    slope = np.linspace(-20, 20, CROP_PIXELS)[None, :, None] * random.choice([-1, 1])
    grain = random.normal(0, 4, (CROP_PIXELS, CROP_PIXELS, 1))
    picture = np.clip(smooth + slope + grain, 0, 255).astype(np.uint8)
    return Face(picture, points, f"person-{seed}", "drawn", fold, still)


def fewer_blocks(patch: pytest.MonkeyPatch) -> None:
    """Give the light trunk a block a stage from here on: its export takes as long as it has blocks."""
    patch.setattr(mobilenet, "STAGES", tuple((*stage[:2], 1, stage[3]) for stage in mobilenet.STAGES))
    patch.setattr(mobilenet, "_DENSE", 5)
