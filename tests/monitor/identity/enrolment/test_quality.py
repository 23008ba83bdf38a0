"""What a reference rests on is told in numbers, and what would help in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.base import Material, Part
from monitor.detectors.pairwise.enrolling import UNCHECKED
from monitor.detectors.persona.enrolling import TOO_LITTLE
from monitor.face.crops import Region
from monitor.face.geometry import Pose
from monitor.identity.enrolment.clip_reader import Spans
from monitor.identity.enrolment.condition_ladder import Moment
from monitor.identity.enrolment.quality import assess
from tests.monitor.frames import frame
from tests.monitor.identity.enrolment.test_checks import recording
from tests.monitor.identity.enrolment.test_gallery import shot

PATCH = frame(np.zeros((16, 16), np.uint8))


def moments(count: int, size: float) -> tuple[Moment, ...]:
    return tuple(Moment(PATCH, Region(8, 8, 8), Region(8, 8, 4), replace(shot(), size=size)) for _ in range(count))


def material(angles: NDArray[np.floating], clips: int = 2) -> Material:
    """A gallery of shots with these angles (N, 3), evenly of the clips, on one rung."""
    gallery = [replace(shot(), pose=turned(row)) for row in angles]
    clip = np.arange(len(gallery)) % clips
    names = [f"clip{n}.mp4" for n in range(clips)]
    return Material(names, [60.0] * clips, [gallery] * clips, gallery, clip, ["as recorded"], lambda: iter(()))


def turned(angles: NDArray[np.floating]) -> Pose:
    """A head turned by yaw, pitch and roll in degrees."""
    (yaw_cos, pitch_cos, roll_cos), (yaw_sin, pitch_sin, roll_sin) = (
        np.cos(np.radians(angles)),
        np.sin(np.radians(angles)),
    )
    about_y = np.array([[yaw_cos, 0, yaw_sin], [0, 1, 0], [-yaw_sin, 0, yaw_cos]])
    about_x = np.array([[1, 0, 0], [0, pitch_cos, -pitch_sin], [0, pitch_sin, pitch_cos]])
    about_z = np.array([[roll_cos, -roll_sin, 0], [roll_sin, roll_cos, 0], [0, 0, 1]])
    return replace(shot().pose, rotation=(about_z @ about_y @ about_x).astype(np.float32))


def test_a_good_reference_needs_no_advice() -> None:
    turns = np.linspace(-20, 20, 64)
    clips = [replace(recording(n), moments=moments(100, 200.0)) for n in range(2)]
    parts = [Part(b"", {"one_person_checked": True}), Part(b"", {"movement_seconds": 55.0})]
    quality = assess(clips, material(np.stack([turns, turns, 0 * turns], axis=1)), parts)
    assert quality.advice == ()
    assert quality.parts == {"one_person_checked": True, "movement_seconds": 55.0}
    assert (quality.face_seconds, quality.speech_seconds, quality.clips) == (140.0, 100.0, 2)
    assert (quality.shots, quality.gallery, quality.face_px) == (200, 64, 200.0)
    assert quality.yaw[0] < -17 < 17 < quality.yaw[1]
    values = quality.as_json()
    assert values["rungs"] == ["as recorded"]
    assert values["yaw"] == list(quality.yaw)
    assert list(values)[-3:] == ["one_person_checked", "movement_seconds", "advice"]


def test_everything_that_would_help_is_told() -> None:
    clip = replace(recording(0, Spans(seen=60, good=60)), moments=moments(10, 90.0))
    parts = [Part(b"", {}, (UNCHECKED,)), Part(None, {}, (TOO_LITTLE,))]
    quality = assess([clip], material(np.zeros((10, 3)), clips=1), parts)
    words = (
        "turn the head",
        "look up and down",
        "closer",
        "record more",
        "another day",
        "nobody checked",
        "speak more",
    )
    assert len(quality.advice) == len(words)
    for line, part in zip(quality.advice, words, strict=True):
        assert part in line
