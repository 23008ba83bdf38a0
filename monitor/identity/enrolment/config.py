"""What is asked of an enrolment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnrolConfig:
    """What an enrolment asks for; lengths in seconds, the face's height in pixels of the clip.

    Without `require_identity` an enrolment is made where the identity encoder is not installed: nobody then checks that
    the clips show one person, and calls are compared without it.
    """

    min_face_seconds: float = 60.0
    min_speech_seconds: float = 30.0
    min_face_px: float = 80.0
    min_sharpness: float = 0.22
    gallery: int = 64
    max_clips: int = 40
    require_identity: bool = True
