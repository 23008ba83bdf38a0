"""Pieces of a picture come out where they were, in the right light, and black beyond its edge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from monitor.face.crops import Region, cut, cut_rgb, luma, sharpness
from monitor.types import ByteArray, VideoFrame
from tests.monitor.frames import stamp


def gradient(width: int = 64, height: int = 48) -> ByteArray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return (2 * x + y).astype(np.uint8)


def test_a_region_of_whole_pixels_is_copied() -> None:
    plane = gradient()
    assert (cut(plane, Region(20, 24, 16), 16) == plane[16:32, 12:28]).all()


def test_a_turned_region_is_turned_back() -> None:
    plane = np.zeros((60, 60), np.uint8)
    plane[28:32, 40:44] = 255
    # The blob lies to the right; seen with the region turned by a quarter, it lies up.
    piece = cut(plane, Region(30, 30, 40, math.pi / 2), 40)
    assert np.argwhere(piece > 128).mean(0) == pytest.approx([7.5, 19.5], abs=1)
    assert Region(30, 30, 40, math.pi / 2).to_picture(np.array([[0.5, 0.2]], np.float32))[0] == pytest.approx([42, 30])


def test_points_and_depth_go_to_the_picture() -> None:
    region = Region(100, 50, 40)
    out = region.to_picture(np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.5]], np.float32))
    assert out.tolist() == [[100, 50, 0], [80, 70, 20]]


def test_a_strong_reduction_averages_instead_of_picking() -> None:
    plane = np.zeros((256, 256), np.uint8)
    plane[:, ::2] = 200
    assert np.abs(cut(plane, Region(128, 128, 256), 16).astype(int) - 100).max() <= 2


@pytest.mark.parametrize("fill", [0, 128])
def test_outside_the_picture_is_the_fill(fill: int) -> None:
    plane = np.full((40, 40), 77, np.uint8)
    piece = cut(plane, Region(0, 20, 20), 20, fill)
    assert set(piece[:, :9].ravel()) == {fill}
    assert set(piece[:, 11:].ravel()) == {77}
    assert set(cut(plane, Region(-500, -500, 20), 20, fill).ravel()) == {fill}


def test_luma_of_both_ranges_spans_nought_to_one() -> None:
    levels = np.array([[0, 16, 235, 255]], np.uint8)
    assert luma(levels, False)[0] == pytest.approx([0, 0, 1, 1])
    assert luma(levels, True)[0] == pytest.approx([0, 16 / 255, 235 / 255, 1])
    assert luma(levels, False).dtype == np.float32


def colour(y: int, u: int, v: int, full_range: bool) -> VideoFrame:
    half = np.ones((20, 20), np.uint8)
    return VideoFrame(stamp(0), np.full((40, 40), y, np.uint8), half * np.uint8(u), half * np.uint8(v), full_range)


@pytest.mark.parametrize(
    ("yuv", "full_range", "rgb"),
    [
        ((81, 90, 240), False, (255, 0, 0)),
        ((145, 54, 34), False, (0, 255, 0)),
        ((41, 240, 110), False, (0, 0, 255)),
        ((76, 85, 255), True, (255, 0, 0)),
        ((235, 128, 128), False, (255, 255, 255)),
        ((128, 128, 128), True, (128, 128, 128)),
    ],
)
def test_colours_are_those_of_bt_601(yuv: tuple[int, int, int], full_range: bool, rgb: tuple[int, int, int]) -> None:
    piece = cut_rgb(colour(*yuv, full_range), Region(20, 20, 16), 8)
    assert piece.shape == (8, 8, 3)
    assert np.abs(piece.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("full_range", [True, False])
@pytest.mark.parametrize("x", [0, -400])
def test_beyond_the_edge_is_black_not_green(full_range: bool, x: int) -> None:
    piece = cut_rgb(colour(120, 128, 128, full_range), Region(x, 20, 20), 20)
    assert piece[:, :9].max() == 0
    assert piece[:, 11:].max() == (0 if x else piece[10, 15, 0])


def test_blur_lowers_sharpness_and_light_hardly_does() -> None:
    plane = np.random.default_rng(0).integers(0, 200, (36, 36)).astype(np.uint8)
    blurred = np.asarray(Image.fromarray(plane).filter(ImageFilter.GaussianBlur(2)))
    assert sharpness(blurred) < 0.5 * sharpness(plane)
    assert sharpness(plane // 2) == pytest.approx(sharpness(plane), rel=0.05)
    assert sharpness(np.full((36, 36), 90, np.uint8)) == 0
