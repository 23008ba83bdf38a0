"""The head may turn, come near and move about: the expression stays what it is, and the head is told beside it."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.face.expression import (
    FACE_SHAPE_SIZE,
    HEAD_SIZE,
    BasisError,
    ExpressionBasis,
    explained_variance,
    motion_rows,
    neutral_of,
    remove_head_pose,
    with_velocity,
)
from monitor.face.geometry import canonical
from monitor.types import FloatArray
from monitor.window.grid import GRID_HZ
from tests.monitor.face.test_geometry import turn

# What turning, scaling and moving may change: of shapes in eye distances, of coefficients in standard deviations.
SHAPE_TOLERANCE, TOLERANCE = 1e-4, 0.01


@cache
def basis(size: int = 8, width: int = FACE_SHAPE_SIZE, seed: int = 0) -> ExpressionBasis:
    """A basis of random directions, as finely scaled as the smallest components of a real one."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.normal(size=(width, size)))[0].T
    mean, head = random.normal(0, 0.01, width), np.full(2 * HEAD_SIZE, 0.1)
    arrays = [mean, directions, np.full(size, 0.02), head]
    mean32, directions32, scale32, head32 = (np.asarray(array, np.float32) for array in arrays)
    return ExpressionBasis(mean32, directions32, scale32, head32)


def face(seed: int = 0) -> FloatArray:
    """Somebody with an expression: the canonical face, every point moved."""
    random = np.random.default_rng(seed)
    return np.asarray(canonical() + random.normal(0, 0.05, (468, 3)), np.float32)


def row(landmarks: FloatArray, told: ExpressionBasis, frame: tuple[float, float] = (0.0, 2.0)) -> FloatArray:
    return np.asarray(motion_rows(landmarks[None], told, np.array([frame]))[0], np.float32)


def put(points: FloatArray, rotation: NDArray[np.float64], scale: float, shift: tuple[float, float]) -> FloatArray:
    return np.asarray(scale * points @ rotation.T + [*shift, 0.0], np.float32)


@given(
    st.floats(-60, 60), st.floats(-60, 60), st.floats(-180, 180), st.floats(30, 400), st.floats(0, 1920),
    st.floats(0, 1080), st.integers(0, 20),
)  # fmt: skip
def test_turning_scaling_and_moving_leave_the_expression(
    yaw: float, pitch: float, roll: float, scale: float, x: float, y: float, seed: int
) -> None:
    still, told = face(seed), basis()
    moved = put(still, turn(yaw, pitch, roll), scale, (x, y))
    assert np.abs(remove_head_pose(moved)[0] - remove_head_pose(still)[0]).max() < SHAPE_TOLERANCE
    assert np.abs(row(moved, told)[:-HEAD_SIZE] - row(still, told)[:-HEAD_SIZE]).max() < TOLERANCE


def test_another_expression_is_another() -> None:
    still = face()
    smile = still.copy()
    smile[61, 1] -= 0.05
    assert np.abs(remove_head_pose(smile)[0] - remove_head_pose(still)[0]).max() > 0.04


def test_the_head_is_told_in_its_own_units() -> None:
    found = row(put(canonical(), turn(20, -10, 5), 100, (740, 460)), basis(), (1280, 720))
    assert found.shape == (8 + HEAD_SIZE,)
    assert found.dtype == np.float32
    assert np.degrees(found[-6:-3]) == pytest.approx([20, -10, 5], abs=0.01)
    assert found[-3:] == pytest.approx([1, 1, np.log(100 / 360)], abs=1e-4)


def test_the_size_of_the_picture_moves_nobody() -> None:
    large = put(face(), turn(10, 5, 3), 120, (700, 400))
    small = np.asarray(large / 2, np.float32)
    rows = [row(large, basis(), (1280, 720)), row(small, basis(), (640, 360))]
    assert np.abs(rows[0] - rows[1]).max() < TOLERANCE


def test_several_faces_together_are_what_each_is_alone() -> None:
    frames = [(1280.0, 720.0), (640.0, 360.0), (1280.0, 720.0)]
    faces = [put(face(seed), turn(9 * seed, 5, -4 * seed), 90 + 20 * seed, (400, 300)) for seed in range(3)]
    together = motion_rows(np.stack(faces), basis(), np.array(frames))
    alone = [row(one, basis(), frame) for one, frame in zip(faces, frames, strict=True)]
    assert together == pytest.approx(np.stack(alone), abs=1e-4)


def test_without_a_picture_pixels_are_counted_from_its_corner() -> None:
    head = remove_head_pose(put(canonical(), turn(0, 0, 0), 50, (100, 150)))[1]
    assert head == pytest.approx([0, 0, 0, 2, 3, np.log(50)], abs=1e-4)


def test_a_basis_is_read_as_it_was_written() -> None:
    told = basis()
    again = ExpressionBasis.from_bytes(told.to_bytes())
    assert again.key == told.key
    assert (again.size, again.width, again.name) == (8, 14, "landmarks")
    assert np.array_equal(again(remove_head_pose(face())[0]), told(remove_head_pose(face())[0]))
    assert basis(seed=1).key != told.key
    assert told.spread == pytest.approx([1] * 8 + [0.1] * 12)


def test_shapes_of_another_kind_are_refused() -> None:
    with pytest.raises(BasisError, match="shapes of 53 numbers do not fit a basis of 1404"):
        basis()(np.zeros((2, 53), np.float32))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 nothing", basis().to_bytes()[:-400]])
def test_what_is_no_basis_is_refused(data: bytes) -> None:
    with pytest.raises(BasisError, match="reinstall the model pack"):
        ExpressionBasis.from_bytes(data)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mean", np.zeros(7), "do not fit each other"),
        ("components", np.zeros(7), "do not fit each other"),
        ("scale", np.full(8, np.nan), "do not fit each other"),
        ("scale", np.zeros(8), "never moves"),
        ("head", np.zeros(12), "never moves"),
    ],
)
def test_a_basis_that_does_not_fit_itself_is_refused(name: str, value: NDArray[np.float64], message: str) -> None:
    with np.load(io.BytesIO(basis().to_bytes())) as held:
        arrays = {**held, name: value}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    with pytest.raises(BasisError, match=message):
        ExpressionBasis.from_bytes(file.getvalue())


def test_the_neutral_is_the_median_of_what_is_valid() -> None:
    motion = np.array([[0.0, 1], [1, 1], [2, 1], [900, 900]], np.float32)
    assert neutral_of(motion, np.array([True, True, True, False])).tolist() == [1, 1]
    assert neutral_of(motion, np.zeros(4, np.bool_)).tolist() == [1.5, 1]


def test_velocity_is_that_of_the_head_by_the_second() -> None:
    motion = np.zeros((6, 2 + HEAD_SIZE), np.float32)
    motion[:, 0] = np.arange(6) ** 2
    motion[:, -HEAD_SIZE] = np.arange(6) * 0.1
    moved = with_velocity(motion, np.array([True, True, True, True, False, True]))
    assert moved.shape == (6, 2 + 2 * HEAD_SIZE)
    assert np.array_equal(moved[:, : 2 + HEAD_SIZE], motion)
    assert moved[:, 2 + HEAD_SIZE] == pytest.approx([0, 0.1 * GRID_HZ, 0.1 * GRID_HZ, 0, 0, 0])
    assert not moved[:, 3 + HEAD_SIZE :].any()
    assert not with_velocity(motion[:2], np.ones(2, np.bool_))[:, 2 + HEAD_SIZE :].any()


def test_the_share_that_a_basis_explains() -> None:
    told, neutral = basis(), np.full(FACE_SHAPE_SIZE, 0.1, np.float32)
    along = np.outer([1, -2, 3], told.components[0]) + neutral
    across = np.linalg.svd(told.components)[2][-1]
    assert explained_variance(told, along.astype(np.float32), neutral) == pytest.approx(1)
    assert explained_variance(told, np.stack([along[0], neutral + across]), neutral) == pytest.approx(0.5)
    assert explained_variance(told, np.stack([neutral, neutral]), neutral) == 1
