"""How good a reference is, in numbers and in what would make it better. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.reference import Rung
from monitor.face.vectors import FaceVectors

if TYPE_CHECKING:
    from monitor.identity.enrolment.clip_reader import Recording

# Below these a live face often finds no like in the gallery.
YAW_RANGE, PITCH_RANGE = 20.0, 10.0
LARGE_FACE = 130.0
PLENTY_SECONDS = 120.0
PLENTY_MOMENTS = 40

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Quality:
    """What a reference rests on.

    Seconds of clear face and of speech; `shots` moments looked at and `gallery` kept; `face_px` the face's height
    (median, in pixels); `yaw` and `pitch` the degrees between which nine in ten of the kept moments lie;
    `one_person_checked` whether the clips were compared by an identity encoder; `movement_seconds` of speech from which
    it was learnt how the person moves, 0 where it was not; `advice` is one line each, and empty when nothing would help
    much.
    """

    face_seconds: float
    speech_seconds: float
    clips: int
    shots: int
    gallery: int
    face_px: float
    yaw: Span
    pitch: Span
    rungs: tuple[str, ...]
    one_person_checked: bool
    movement_seconds: float
    advice: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give JSON values."""
        told = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


def assess(
    recordings: Sequence[Recording],
    kept: FaceVectors,
    rungs: Sequence[Rung],
    checked: bool,
    movement: float | None = None,
) -> Quality:
    """Describe a reference made of `kept` moments of the recordings.

    `movement` is how many seconds of speech were given to learn how the person moves, 0 for too little of it and None
    where that is not installed.
    """
    sizes = [moment.shot.size for clip in recordings for moment in clip.moments]
    yaw, pitch = _between(kept.angles[:, 0]), _between(kept.angles[:, 1])
    face = sum(clip.spans.good for clip in recordings)
    face_px = float(np.median(sizes))
    told = (
        (yaw[1] - yaw[0] < YAW_RANGE, "turn the head a little to both sides while speaking"),
        (pitch[1] - pitch[0] < PITCH_RANGE, "look up and down now and then"),
        (face_px < LARGE_FACE, "record closer or at a higher resolution: a larger face shows more"),
        (face < PLENTY_SECONDS or len(kept) < PLENTY_MOMENTS, "record more: two minutes and longer are better"),
        (len(recordings) < 2, "add a recording of another day: with one, changes of light and looks are guessed"),
        (movement == 0, "speak more and facing the camera: how the person moves when they speak was not learnt"),
        (not checked, "install the identity encoder and enrol anew: nobody checked that the clips show one person"),
    )
    return Quality(
        round(face, 1),
        round(sum(clip.speech_seconds for clip in recordings), 1),
        len(recordings),
        len(sizes),
        len(kept),
        round(face_px, 1),
        yaw,
        pitch,
        tuple(rung.name for rung in rungs),
        checked,
        round(movement or 0.0, 1),
        tuple(line for holds, line in told if holds),
    )


def _between(degrees: NDArray[np.floating]) -> Span:
    low, high = np.quantile(degrees, [0.05, 0.95])
    return round(float(low), 1), round(float(high), 1)
