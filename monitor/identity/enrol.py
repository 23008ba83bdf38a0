"""Enrolment: from a person's own clips to the reference that live calls are compared with, or to the reasons why not.

Nothing of the clips is kept: what leaves this module are vectors, landmarks and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.models import Models
from monitor.types import FloatArray

if TYPE_CHECKING:
    from monitor.identity.reference import Reference

# What is being done, in words for people, and how much of the whole is done, 0 to 1.
Progress = Callable[[str, float], None]


class EnrolmentRefused(Exception):  # noqa: N818 - a refusal, not a failure
    """The clips do not make a reference; `reasons` are one line each and say what to do."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class EnrolConfig:
    """What an enrolment asks for; lengths in seconds, sizes in pixels of the clip."""

    min_face_seconds: float = 60.0
    min_speech_seconds: float = 30.0
    gallery: int = 64
    require_identity: bool = True


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a reference is: seconds of face and speech, moments kept, ranges of pose, and what would help."""

    face_seconds: float
    speech_seconds: float
    shots: int
    gallery: int
    yaw: tuple[float, float]
    pitch: tuple[float, float]
    rungs: tuple[str, ...]
    one_person_checked: bool
    advice: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give plain values."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """What an enrolment gives; `poses` are the landmarks of the accepted moments, each (468, 2) in 0..1 of the crop."""

    reference: Reference
    quality: Quality
    poses: tuple[FloatArray, ...]


def enrol(
    clips: Sequence[Path],
    models: Models,
    config: EnrolConfig | None = None,
    progress: Progress = lambda _what, _share: None,
) -> Enrolment:
    """Make a reference of the one person in the clips; raises `EnrolmentRefused`, `SourceError` or `EngineError`."""
    raise NotImplementedError
