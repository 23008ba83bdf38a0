"""Display matrices: all eight ways of showing a picture."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from monitor.tap.media.orientation import UPRIGHT, Orientation
from monitor.types import ByteArray


def picture(height: int = 6, width: int = 9) -> ByteArray:
    return np.arange(height * width, dtype=np.uint8).reshape(height, width)


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    return np.array([a * 65536, b * 65536, 0, c * 65536, d * 65536, 0, 0, 0, 1 << 30]).astype(np.int32).tobytes()


@pytest.mark.parametrize(("a", "b", "c", "d"), [(x, 0, 0, y) for x, y in product((1, -1), repeat=2)])
def test_a_matrix_along_the_axes_mirrors(a: int, b: int, c: int, d: int) -> None:
    shown = Orientation.of_matrix(matrix(a, b, c, d)).apply(picture())
    assert np.array_equal(shown, picture()[::d, ::a])


@pytest.mark.parametrize(("b", "c"), list(product((1, -1), repeat=2)))
def test_a_matrix_across_the_axes_turns_too(b: int, c: int) -> None:
    shown = Orientation.of_matrix(matrix(0, b, c, 0)).apply(picture())
    assert np.array_equal(shown, picture().T[::b, ::c])


@pytest.mark.parametrize(("quarters", "numbers"), [(0, (1, 0, 0, 1)), (1, (0, -1, 1, 0)), (2, (-1, 0, 0, -1))])
def test_turns_are_counter_clockwise(quarters: int, numbers: tuple[int, int, int, int]) -> None:
    assert np.array_equal(Orientation.of_matrix(matrix(*numbers)).apply(picture()), np.rot90(picture(), quarters))


def test_another_angle_is_the_nearest_quarter() -> None:
    turned = np.cos(1.4), -np.sin(1.4), np.sin(1.4), np.cos(1.4)
    assert Orientation.of_matrix(matrix(*turned)) == Orientation.of_matrix(matrix(0, -1, 1, 0))
    tilted = np.cos(0.2), -np.sin(0.2), np.sin(0.2), np.cos(0.2)
    assert Orientation.of_matrix(matrix(*tilted)) == UPRIGHT


@pytest.mark.parametrize("data", [b"", b"\x00" * 35, matrix(0, 0, 0, 0)])
def test_what_shows_nothing_leaves_the_picture_as_it_is(data: bytes) -> None:
    assert Orientation.of_matrix(data) == UPRIGHT


def test_an_upright_picture_is_not_copied_and_a_turned_one_is_whole() -> None:
    shown = picture()
    assert UPRIGHT.apply(shown) is shown
    turned = Orientation(True, False, True).apply(shown)
    assert turned.flags.c_contiguous
    assert not turned.flags.writeable
    assert turned.shape == (9, 6)
