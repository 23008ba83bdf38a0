"""What a reference rests on is told in numbers, and what would help in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.detectors.reference import Rung
from monitor.face.crops import Region
from monitor.identity.enrolment.clip_reader import Spans
from monitor.identity.enrolment.condition_ladder import Moment
from monitor.identity.enrolment.quality import assess
from tests.monitor import people
from tests.monitor.frames import frame
from tests.monitor.identity.enrolment.test_checks import recording
from tests.monitor.identity.enrolment.test_gallery import shot

PATCH = frame(np.zeros((16, 16), np.uint8))


def moments(count: int, size: float) -> tuple[Moment, ...]:
    return tuple(Moment(PATCH, Region(8, 8, 8), Region(8, 8, 4), replace(shot(), size=size)) for _ in range(count))


def test_a_good_reference_needs_no_advice() -> None:
    kept = replace(people.looks(64), angles=np.linspace(-20, 20, 192).reshape(64, 3).astype(np.float32))
    clips = [replace(recording(n), moments=moments(100, 200.0)) for n in range(2)]
    quality = assess(clips, kept, [Rung("as recorded", kept)], checked=True, movement=55.04)
    assert quality.advice == ()
    assert quality.movement_seconds == 55.0
    assert (quality.face_seconds, quality.speech_seconds, quality.clips) == (140.0, 100.0, 2)
    assert (quality.shots, quality.gallery, quality.face_px) == (200, 64, 200.0)
    assert quality.yaw[0] < -17 < 17 < quality.yaw[1]
    told = quality.as_json()
    assert told["rungs"] == ["as recorded"]
    assert told["yaw"] == list(quality.yaw)


def test_everything_that_would_help_is_told() -> None:
    kept = replace(people.looks(10), angles=np.zeros((10, 3), np.float32))
    clip = replace(recording(0, Spans(seen=60, good=60)), moments=moments(10, 90.0))
    quality = assess([clip], kept, [Rung("as recorded", kept)], checked=False, movement=0.0)
    words = (
        "turn the head",
        "look up and down",
        "closer",
        "record more",
        "another day",
        "speak more",
        "nobody checked",
    )
    assert len(quality.advice) == len(words)
    for line, part in zip(quality.advice, words, strict=True):
        assert part in line
