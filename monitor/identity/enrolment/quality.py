"""The quality of a reference, in numbers and in advice that would improve it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.base import Material, Part

if TYPE_CHECKING:
    from monitor.identity.enrolment.clip_reader import Recording

# Degrees; below these a live face often has no near match in the gallery.
YAW_RANGE, PITCH_RANGE = 20.0, 10.0
LARGE_FACE_PX = 130.0
PLENTY_SECONDS = 120.0
PLENTY_MOMENTS = 40

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Quality:
    """What a reference rests on.

    Seconds of clear face and of speech; `shots` moments examined and `gallery` chosen; `face_px` the face's height
    (median, in pixels); `yaw` and `pitch` the 5 % and 95 % quantiles of the gallery in degrees; `parts` holds
    the detectors' own quality figures; `advice` is one line each, and empty when nothing would help much.
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
    parts: Mapping[str, Any]
    advice: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give JSON values."""
        values = asdict(self)
        advice, parts = values.pop("advice"), values.pop("parts")
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {**plain, **parts, "advice": list(advice)}


def assess(recordings: Sequence[Recording], material: Material, parts: Sequence[Part]) -> Quality:
    """Describe a reference made of the gallery of the recordings, and what each detector says of its part."""
    sizes = [moment.shot.size for clip in recordings for moment in clip.moments]
    angles = np.array([shot.pose.angles for shot in material.gallery])
    yaw, pitch = _between(angles[:, 0]), _between(angles[:, 1])
    face, count = sum(clip.spans.good for clip in recordings), len(material.gallery)
    face_px = float(np.median(sizes))
    advice = (
        (yaw[1] - yaw[0] < YAW_RANGE, "turn the head a little to both sides while speaking"),
        (pitch[1] - pitch[0] < PITCH_RANGE, "look up and down now and then"),
        (face_px < LARGE_FACE_PX, "record closer or at a higher resolution: a larger face shows more"),
        (face < PLENTY_SECONDS or count < PLENTY_MOMENTS, "record more: two minutes and longer are better"),
        (len(recordings) < 2, "add a recording of another day: with one, changes of light and looks are guessed"),
    )
    return Quality(
        round(face, 1),
        round(sum(clip.speech_seconds for clip in recordings), 1),
        len(recordings),
        len(sizes),
        count,
        round(face_px, 1),
        yaw,
        pitch,
        tuple(material.rungs),
        {name: value for part in parts for name, value in part.quality.items()},
        (*(line for holds, line in advice if holds), *(line for part in parts for line in part.advice)),
    )


def _between(degrees: NDArray[np.floating]) -> Span:
    low, high = np.quantile(degrees, [0.05, 0.95])
    return round(float(low), 1), round(float(high), 1)
