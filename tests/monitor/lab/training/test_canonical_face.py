"""The mean face: faces that differ in place, size and turn alone give back the one they came from."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.face.geometry import LEFT_EYE, RIGHT_EYE, canonical
from monitor.lab.training.canonical_face import CHIN_LANDMARK, TOP_LANDMARK, mean_face
from monitor.types import FloatArray


def turned(yaw: float, scale: float, shift: tuple[float, float, float]) -> FloatArray:
    cos, sin = np.cos(yaw), np.sin(yaw)
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    return np.asarray(scale * canonical() @ rotation.T + np.array(shift), np.float32)


def test_place_size_and_turn_are_taken_out() -> None:
    faces = [turned(0.0, 90, (5, 7, 1)), turned(0.4, 150, (-40, 3, 9)), turned(-0.5, 60, (300, 200, 0))]
    assert mean_face(faces) == pytest.approx(canonical(), abs=1e-3)


def test_the_shipped_face_is_level_and_upright() -> None:
    face = canonical()
    assert np.linalg.norm(face[RIGHT_EYE] - face[LEFT_EYE]) == pytest.approx(1, abs=1e-5)
    assert face[RIGHT_EYE, 1] == pytest.approx(face[LEFT_EYE, 1], abs=1e-5)
    assert face[CHIN_LANDMARK, 0] == pytest.approx(face[TOP_LANDMARK, 0], abs=0.01)
    assert face[CHIN_LANDMARK, 1] > face[TOP_LANDMARK, 1]
