"""Pseudo-deepfakes: a photo blended with a transformed copy of itself (DiffFake, Stamnas & Sanchez 2025, 3.1 and 4.1).

The mask is the convex hull of one of four sets of landmarks, bent and blurred; source or target is changed in colour,
light or sharpness, and the source is moved and resized a little, so that a seam and a mismatch appear as in forgeries.
The paper's 68 points are read off MediaPipe's 468. Where it leaves a choice open, what is chosen here is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

FloatArray = NDArray[np.float32]
Picture = NDArray[np.uint8]

_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_EYES = (
    33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 70, 63, 105, 66, 107, 55, 65, 52, 53,
    46, 263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249, 300, 293, 334, 296, 336, 285,
    295, 282, 283, 276,
)  # fmt: skip
_MOUTH = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409)
_JAW = (
    234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454,
)  # fmt: skip
_LOWER_JAW = (172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397)
_NOSE_TIP = (4,)

# The whole face half of the time, the others a sixth each.
SCHEMES: Mapping[str, tuple[int, ...]] = {
    "whole": _OVAL,
    "eyes": _EYES,
    "lower": _LOWER_JAW + _MOUTH + _NOSE_TIP,
    "jawline": _JAW + _NOSE_TIP,
}
SHARES = (1 / 2, 1 / 6, 1 / 6, 1 / 6)
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
ELASTIC, SMOOTH = 50.0, 7.0
KERNELS = tuple(range(5, 26, 2))
SHIFT, RESIZE = 0.03, 0.05
RGB, HSV, LIGHT = 20.0, 0.3, 0.3
# The sixth of the colour circle to which a shift of hue refers: the paper gives its range without a unit, and 0.3 of
# the whole circle would turn faces green.
_HUE_UNIT = 255 / 6


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """A pseudo-deepfake `picture` (S, S, 3) uint8, its soft `mask` (S, S) in 0..1, before the ratio, and its making."""

    picture: Picture
    mask: FloatArray
    scheme: str
    ratio: float


def blend(picture: Picture, landmarks: FloatArray, random: np.random.Generator, scheme: str | None = None) -> Blend:
    """Blend a square picture (S, S, 3) with a transformed copy of itself; `landmarks` (468, 2) in its pixels.

    I_B = I_s * M + I_t * (1 - M), equation 1. `scheme` is drawn unless given.
    """
    chosen = scheme or str(random.choice(list(SCHEMES), p=SHARES))
    mask = hull(landmarks[list(SCHEMES[chosen])], len(picture))
    source, target = picture, picture
    if random.random() < 0.5:
        source = transform(source, random)
    else:
        target = transform(target, random)
    source, mask = move(source, mask, random)
    soft = soften(deform(mask, random), random)
    ratio = float(random.choice(RATIOS))
    weight = (soft * np.float32(ratio))[..., None]
    mixed = target + weight * (source.astype(np.float32) - target)
    return Blend(np.clip(mixed + 0.5, 0, 255).astype(np.uint8), soft, chosen, ratio)


def hull(points: FloatArray, size: int) -> FloatArray:
    """Fill the convex hull of points (N, 2) in a picture of `size`: (size, size), 0 or 1."""
    image = Image.new("L", (size, size))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in convex(points)], fill=255)
    return np.asarray(image, np.float32) / np.float32(255)


def convex(points: FloatArray) -> FloatArray:
    """Corners of the convex hull of (N, 2) in order (Andrew's monotone chain)."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]

    def chain(rows: FloatArray) -> list[FloatArray]:
        corners: list[FloatArray] = []
        for row in rows:
            while len(corners) > 1 and _turn(corners[-2], corners[-1], row) <= 0:
                corners.pop()
            corners.append(row)
        return corners[:-1]

    return np.asarray(chain(ordered) + chain(ordered[::-1]), np.float32)


def _turn(a: FloatArray, b: FloatArray, c: FloatArray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def transform(picture: Picture, random: np.random.Generator) -> Picture:
    """Change colour, light and sharpness at random: each of the paper's five kinds half of the time, at least one."""
    image = Image.fromarray(picture)
    wanted = random.random(5) < 0.5
    if not wanted.any():
        wanted[int(random.integers(5))] = True
    if wanted[3] and wanted[4]:
        wanted[int(random.choice([3, 4]))] = False
    if wanted[0]:
        image = _shift_rgb(image, random.uniform(-RGB, RGB, 3))
    if wanted[1]:
        image = _shift_hsv(image, random.uniform(-HSV, HSV, 3))
    if wanted[2]:
        image = _light(image, *(float(n) for n in random.uniform(-LIGHT, LIGHT, 2)))
    if wanted[3]:
        image = _sharpen(image, float(random.uniform(0.2, 0.5)))
    if wanted[4]:
        image = _downscale(image, int(random.choice([2, 4])))
    return np.asarray(image)


def _shift_rgb(image: Image.Image, by: NDArray[np.float64]) -> Image.Image:
    levels = np.arange(256)
    table = [int(n) for shift in by for n in np.clip(levels + shift, 0, 255)]
    return image.point(table)


def _shift_hsv(image: Image.Image, by: NDArray[np.float64]) -> Image.Image:
    levels = np.arange(256)
    hue = (levels + by[0] * _HUE_UNIT) % 256
    others = [np.clip(levels * (1 + change), 0, 255) for change in by[1:]]
    table = [int(n) for change in (hue, *others) for n in change]
    return image.convert("HSV").point(table).convert("RGB")


def _light(image: Image.Image, brightness: float, contrast: float) -> Image.Image:
    mean = float(np.asarray(image.convert("L").reduce(8)).mean())
    levels = (np.arange(256) - mean) * (1 + contrast) + mean + 255 * brightness * 0.5
    return image.point([int(n) for n in np.clip(levels, 0, 255)] * 3)


def _sharpen(image: Image.Image, intensity: float) -> Image.Image:
    kernel = [-intensity] * 9
    kernel[4] = 1 + 8 * intensity
    return image.filter(ImageFilter.Kernel((3, 3), kernel, scale=1))


def _downscale(image: Image.Image, factor: int) -> Image.Image:
    small = image.resize((image.width // factor, image.height // factor), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.BILINEAR)


def move(picture: Picture, mask: FloatArray, random: np.random.Generator) -> tuple[Picture, FloatArray]:
    """Translate by up to 3 % of the picture and resize by up to 5 %, mask and all."""
    size = len(picture)
    dx, dy = (float(n) * size for n in random.uniform(-SHIFT, SHIFT, 2))
    scale = 1 / (1 + float(random.uniform(-RESIZE, RESIZE)))
    middle = size / 2
    matrix = (scale, 0.0, middle - scale * (middle + dx), 0.0, scale, middle - scale * (middle + dy))
    how = (Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    moved = Image.fromarray(picture).transform((size, size), *how)
    over = Image.fromarray((mask * 255).astype(np.uint8)).transform((size, size), *how)
    return np.asarray(moved), np.asarray(over, np.float32) / np.float32(255)


def deform(mask: FloatArray, random: np.random.Generator) -> FloatArray:
    """Bend a mask elastically (Simard et al. 2003): displacements of smoothed noise, sigma 7, times 50."""
    size = len(mask)
    noise = random.uniform(-1, 1, (2, size, size)).astype(np.float32)
    # By the spectrum: a product of matrices would start threads in every worker.
    field = np.float32(ELASTIC) * np.fft.irfft2(np.fft.rfft2(noise) * _gaussian(size), (size, size)).astype(np.float32)
    grid = np.arange(size, dtype=np.float32)
    x = np.clip(grid[None, :] + field[0], 0, size - 1.001)
    y = np.clip(grid[:, None] + field[1], 0, size - 1.001)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    fx, fy = x - x0, y - y0
    flat, at = mask.ravel(), y0 * size + x0
    top = flat[at] * (1 - fx) + flat[at + 1] * fx
    low = flat[at + size] * (1 - fx) + flat[at + size + 1] * fx
    return np.asarray(top * (1 - fy) + low * fy, np.float32)


@cache
def _gaussian(size: int) -> FloatArray:
    """Give what smoothing by a Gaussian leaves of each frequency of a picture of `size`."""
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    return np.asarray(np.exp(-2 * (np.pi * SMOOTH) ** 2 * (rows**2 + columns**2)), np.float32)


def soften(mask: FloatArray, random: np.random.Generator) -> FloatArray:
    """Blur a mask with an odd kernel of 5 to 25 pixels at 224, in proportion at other sizes."""
    kernel = int(random.choice(KERNELS)) * len(mask) / 224
    # The deviation that belongs to a kernel where only its size is given, as the imaging libraries have it.
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    image = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(max(sigma, 0.3))), np.float32) / np.float32(255)
