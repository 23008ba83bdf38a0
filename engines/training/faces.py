"""Faces in memory: wide crops with landmarks, and the views of them that an encoder is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FloatArray = NDArray[np.float32]
Picture = NDArray[np.uint8]

CROP_PIXELS = 256
# Sides of the crop that is stored, and of what the encoders see, in units of the landmarks' box (DiffFake, 4.1: 1.3).
REACH = 1.5
ENLARGE = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face: `picture` (256, 256, 3) uint8 RGB, 1.5 times the landmarks' box; `landmarks` (468, 2) in its pixels."""

    picture: Picture
    landmarks: FloatArray
    subject: str
    source: str = ""
    fold: str = ""
    still: bool = True


def look(face: Face, size: int, random: np.random.Generator | None = None) -> tuple[Picture, FloatArray]:
    """Show a face as the encoders see it, (size, size, 3) and landmarks in its pixels; with `random` a little off."""
    side = CROP_PIXELS * ENLARGE / REACH
    x = y = CROP_PIXELS / 2
    if random is not None:
        side *= float(random.uniform(0.92, 1.08))
        x, y = (float(n) + CROP_PIXELS / 2 for n in random.uniform(-0.03, 0.03, 2) * side)
    left, top = min(max(x - side / 2, 0.0), CROP_PIXELS - side), min(max(y - side / 2, 0.0), CROP_PIXELS - side)
    box = (left, top, left + side, top + side)
    picture = Image.fromarray(face.picture).resize((size, size), Image.Resampling.BILINEAR, box=box)
    landmarks = (face.landmarks - np.array([left, top], np.float32)) * np.float32(size / side)
    shown = np.asarray(picture)
    if random is not None and random.random() < 0.5:
        shown = shown[:, ::-1]
        landmarks = landmarks * np.array([-1, 1], np.float32) + np.array([size - 1, 0], np.float32)
    return np.ascontiguousarray(shown), landmarks.astype(np.float32)
