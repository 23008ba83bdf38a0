"""Cutting pieces out of a frame: only the pixels of the piece are read, rotated, scaled or converted.

Pillow does the resampling: it is in C, releases the GIL, and brings no second FFmpeg into the process, as OpenCV's
wheels would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from monitor.types import ByteArray, FloatArray, VideoFrame

# BT.601 limited range: VP8 has no other, and H.264 calls hardly ever use another at these sizes.
_LUMA_SCALE = np.float32(1 / 219)
# Chroma of no colour: with it, what lies outside the picture is black and not green.
_NEUTRAL_CHROMA = 128


@dataclass(frozen=True, slots=True)
class Region:
    """A rotated square in the picture: centre and side in pixels, rotation in radians (positive turns x towards y)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_picture(self, points: FloatArray) -> FloatArray:
        """Map points (N, 2+) in units of the side (0..1) to pixels; a third column is scaled by the side."""
        out = np.array(points, np.float32)
        cos, sin = math.cos(self.angle) * self.side, math.sin(self.angle) * self.side
        u, v = points[:, 0] - 0.5, points[:, 1] - 0.5
        out[:, 0] = self.x + cos * u - sin * v
        out[:, 1] = self.y + sin * u + cos * v
        out[:, 2:] = points[:, 2:] * self.side
        return out


def cut(plane: ByteArray, region: Region, size: int, fill: int = 0) -> ByteArray:
    """Resample the region of one plane (H, W) bilinearly to (size, size) uint8; outside the picture is `fill`."""
    turn = abs(math.cos(region.angle)) + abs(math.sin(region.angle))
    # Of a square that is reduced whole blocks are averaged: they reach a little further.
    reach = region.side * turn / 2 + 2 + region.side / size
    x0, y0 = max(int(region.x - reach), 0), max(int(region.y - reach), 0)
    x1, y1 = min(int(region.x + reach) + 1, plane.shape[1]), min(int(region.y + reach) + 1, plane.shape[0])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return np.full((size, size), fill, np.uint8)
    # A view of the copy, which Pillow's `fromarray` would copy once more.
    pixels = np.ascontiguousarray(plane[y0:y1, x0:x1])
    piece = Image.frombuffer("L", (x1 - x0, y1 - y0), pixels, "raw", "L", 0, 1)
    step = region.side / size
    # A strong reduction would alias: shrink first by a whole factor, which Pillow averages.
    shrink = int(step // 2) if step >= 4 else 1
    if shrink > 1:
        piece = piece.reduce(shrink)
    cos, sin = math.cos(region.angle) * step / shrink, math.sin(region.angle) * step / shrink
    cx, cy, half = (region.x - x0) / shrink, (region.y - y0) / shrink, size / 2
    matrix = (cos, -sin, cx - cos * half + sin * half, sin, cos, cy - sin * half - cos * half)
    turned = piece.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill)
    # What `asarray` comes to, less the description of the picture that it asks for first.
    return np.frombuffer(turned.tobytes(), np.uint8).reshape(size, size)


def luma(piece: ByteArray, full_range: bool) -> FloatArray:
    """Map a luma crop to [0, 1], float32 of the same shape."""
    if full_range:
        return piece.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(np.clip((piece.astype(np.float32) - 16) * _LUMA_SCALE, 0, 1), np.float32)


def cut_rgb(frame: VideoFrame, region: Region, size: int) -> ByteArray:
    """Cut the region in colour, (size, size, 3) uint8 RGB: BT.601, only the crop is converted; black outside."""
    half = Region(region.x / 2, region.y / 2, region.side / 2, region.angle)
    planes = [
        cut(frame.y, region, size),
        cut(frame.u, half, size, _NEUTRAL_CHROMA),
        cut(frame.v, half, size, _NEUTRAL_CHROMA),
    ]
    y, u, v = (plane.astype(np.float32) for plane in planes)
    if not frame.full_range:
        y, u, v = (y - 16) * (255 / 219), (u - 128) * (255 / 224), (v - 128) * (255 / 224)
    else:
        u, v = u - 128, v - 128
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=-1)
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8)


def sharpness(piece: ByteArray) -> float:
    """Mean absolute Laplacian over contrast: falls with blur, hardly moves with light. 0 for a flat piece."""
    p = piece.astype(np.float32)
    laplacian = 4 * p[1:-1, 1:-1] - p[:-2, 1:-1] - p[2:, 1:-1] - p[1:-1, :-2] - p[1:-1, 2:]
    p -= np.add.reduce(p, None) / np.float32(p.size)
    contrast = math.sqrt(float(np.vdot(p, p)) / p.size)
    return float(np.add.reduce(np.abs(laplacian), None)) / laplacian.size / contrast if contrast > 1 else 0.0
