"""The ladder of call conditions: the same moments as a good line, a poor line and a small tile would show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: the face's height in pixels at most, the codec and its constant quantiser, and soft focus."""

    name: str
    face_px: float | None = None
    codec: Literal["h264", "vp8"] | None = None
    quantiser: int = 0
    soft: bool = False


RUNGS: tuple[Step, ...] = (Step("as recorded"),)
