"""Whether a view of a face is good enough to judge: size, sharpness, pose, presence. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.types import Reason

MIN_FACE_PX = 48.0
MIN_SHARPNESS = 0.02
MAX_YAW_DEGREES = 55.0
MAX_PITCH_DEGREES = 40.0
MIN_PRESENCE = 0.5


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measures of one view: `size` is the face's height in pixels, angles are degrees, `presence` falls with cover."""

    size: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    presence: float

    @property
    def problem(self) -> Reason | None:
        """Why this view is not used, or None."""
        if self.presence < MIN_PRESENCE:
            return Reason.NO_FACE
        is_turned = abs(self.yaw) > MAX_YAW_DEGREES or abs(self.pitch) > MAX_PITCH_DEGREES
        if is_turned or self.size < MIN_FACE_PX or self.sharpness < MIN_SHARPNESS:
            return Reason.LOW_QUALITY
        return None
