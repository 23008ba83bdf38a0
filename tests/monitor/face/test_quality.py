"""Which views are good enough, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.face.quality import (
    MAX_PITCH_DEGREES,
    MAX_YAW_DEGREES,
    MIN_FACE_PX,
    MIN_PRESENCE,
    MIN_SHARPNESS,
    FaceQuality,
)
from monitor.types import Reason

GOOD = FaceQuality(size=120, sharpness=0.3, yaw=0, pitch=0, roll=0, presence=1)


def test_a_good_view_has_no_problem() -> None:
    assert GOOD.problem is None
    least = FaceQuality(MIN_FACE_PX, MIN_SHARPNESS, -MAX_YAW_DEGREES, MAX_PITCH_DEGREES, 170, MIN_PRESENCE)
    assert least.problem is None


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        (replace(GOOD, presence=0.4), Reason.NO_FACE),
        (replace(GOOD, yaw=-56), Reason.LOW_QUALITY),
        (replace(GOOD, pitch=41), Reason.LOW_QUALITY),
        (replace(GOOD, size=47), Reason.LOW_QUALITY),
        (replace(GOOD, sharpness=0.01), Reason.LOW_QUALITY),
        (replace(GOOD, presence=0.1, size=10), Reason.NO_FACE),
    ],
)
def test_a_poor_view_says_why(worse: FaceQuality, reason: Reason) -> None:
    assert worse.problem is reason
