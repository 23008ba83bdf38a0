"""Head pose is taken out of the speaking landmarks whole, and is told apart from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.face.geometry import (
    LEFT_EYE,
    OUTER_LIPS,
    RIGHT_EYE,
    RIGID_LANDMARKS,
    SPEECH_LANDMARKS,
    SPEECH_SHAPE_SIZE,
    bounding_box,
    canonical,
    fit_pose,
    fit_poses,
    mouth_centre,
    overlap,
    rigid_points,
    similarity,
    speech_shape,
)
from monitor.types import FloatArray

Doubles = NDArray[np.float64]
degrees = st.floats(-60, 60)


def turn(yaw: float, pitch: float, roll: float) -> Doubles:
    """Pitch first, then yaw, then roll."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(np.radians([yaw, pitch, roll])), np.cos(np.radians([yaw, pitch, roll]))
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float64)


def speaking(seed: int) -> FloatArray:
    """The canonical face with lips and jaw moved; eye distance 1."""
    face = canonical().copy()
    face[list(SPEECH_LANDMARKS)] += (
        np.random.default_rng(seed).normal(0, 0.05, (len(SPEECH_LANDMARKS), 3)).astype(np.float32)
    )
    return face


def test_the_canonical_face_is_centred_and_of_unit_eye_distance() -> None:
    face = canonical()
    assert face.shape == (468, 3)
    assert face.dtype == np.float32
    assert np.abs(face[list(RIGID_LANDMARKS)].mean(0)).max() < 1e-3
    assert np.linalg.norm(face[LEFT_EYE] - face[RIGHT_EYE]) == pytest.approx(1, abs=0.02)
    assert face[list(OUTER_LIPS), 1].mean() > face[LEFT_EYE, 1]
    assert SPEECH_SHAPE_SIZE == len(SPEECH_LANDMARKS) * 3 == 168


@given(degrees, degrees, degrees, st.floats(20, 500), st.floats(-300, 2000), st.floats(-300, 2000), st.integers(0, 99))
def test_turning_scaling_and_moving_a_face_changes_no_speech(
    yaw: float, pitch: float, roll: float, scale: float, x: float, y: float, seed: int
) -> None:
    face = speaking(seed)
    still = speech_shape(face, fit_pose(rigid_points(face)))
    picture = (scale * face @ turn(yaw, pitch, roll).T + np.array([x, y, 0])).astype(np.float32)
    pose = fit_pose(rigid_points(picture))
    assert np.abs(speech_shape(picture, pose) - still).max() < 1e-4
    assert pose.scale == pytest.approx(scale, rel=1e-3)
    assert np.abs(np.array(pose.angles) - [yaw, pitch, roll]).max() < 0.05


def test_a_face_at_rest_has_no_shape_and_looks_ahead() -> None:
    pose = fit_pose(rigid_points(canonical()))
    assert np.abs(speech_shape(canonical(), pose)).max() < 1e-5
    assert np.abs(pose.angles).max() < 1e-3


def test_projecting_undoes_normalising() -> None:
    picture = (120 * speaking(1) @ turn(20, -10, 5).T + [300, 200, 0]).astype(np.float32)
    pose = fit_pose(rigid_points(picture))
    assert np.abs(pose.project(pose.normalise(picture)) - picture).max() < 1e-2


def test_moving_lips_do_not_move_the_mouth_crop() -> None:
    faces = [(100 * speaking(seed) + [320, 240, 0]).astype(np.float32) for seed in (1, 2)]
    first, second = (mouth_centre(fit_pose(rigid_points(face))) for face in faces)
    assert np.abs(first - second).max() < 0.01
    assert first == pytest.approx(faces[0][list(OUTER_LIPS), :2].mean(0), abs=5)


def test_a_mirrored_face_gives_a_rotation_all_the_same() -> None:
    mirrored = canonical() * np.array([-1, 1, 1], np.float32)
    pose = similarity(canonical(), mirrored)
    assert np.linalg.det(pose.rotation) == pytest.approx(1, abs=1e-5)


def test_points_in_one_place_give_a_finite_pose() -> None:
    pose = similarity(np.ones((25, 3), np.float32), np.ones((25, 3), np.float32))
    assert pose.scale > 0
    assert np.isfinite(pose.rotation).all()


def test_several_poses_are_found_as_each_is_alone() -> None:
    faces = [(90 * speaking(n) @ turn(15 * n, -10, 40 * n).T + [300, 200, 0]).astype(np.float32) for n in range(3)]
    # Of a mirrored face the nearest rotation is taken, as of one alone.
    faces.append((canonical() * np.array([-1, 1, 1])).astype(np.float32))
    together = fit_poses(rigid_points(np.stack(faces)))
    for number, face in enumerate(faces):
        alone = fit_pose(rigid_points(face))
        assert together.scale[number] == pytest.approx(alone.scale, rel=1e-6)
        assert together.rotation[number] == pytest.approx(alone.rotation, abs=1e-5)
        assert together.shift[number] == pytest.approx(alone.shift, abs=1e-3)
        assert np.degrees(together.angles[number]) == pytest.approx(alone.angles, abs=1e-3)
        assert together.normalise(np.stack(faces))[number] == pytest.approx(alone.normalise(face), abs=1e-4)


def box(*numbers: float) -> FloatArray:
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (box(0, 0, 2, 2), 1.0),
        (box(1, 0, 3, 2), 1 / 3),
        (box(2, 0, 4, 2), 0.0),
        (box(0, 5, 2, 7), 0.0),
        (box(0.5, 0.5, 1.5, 1.5), 0.25),
    ],
)
def test_overlap_is_the_shared_part_of_both(other: FloatArray, share: float) -> None:
    assert overlap(box(0, 0, 2, 2), other) == pytest.approx(share)
    assert overlap(other, box(0, 0, 2, 2)) == pytest.approx(share)


def test_the_box_holds_every_landmark() -> None:
    assert bounding_box(np.array([[1, 5, 9], [3, 2, -9]], np.float32)).tolist() == [1, 2, 3, 5]
