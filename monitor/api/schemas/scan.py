"""What `sidewitness scan --json` prints: one object a line."""

from __future__ import annotations

from pydantic import Field

from monitor.api.schemas.base import EvidencedScore, Judged, Shape


class JudgedTrack(Shape):
    """The track of a recording that was judged."""

    number: int = Field(ge=1)
    """Counted from 1 among the tracks of its kind, as `--audio` and `--video` count."""
    count: int = Field(ge=1)
    """How many of its kind there are."""
    codec: str | None
    """As FFmpeg names it; null where it cannot be decoded."""


class JudgedTracks(Shape):
    """Both tracks; null where there is none of the kind."""

    video: JudgedTrack | None
    audio: JudgedTrack | None


class ScanLine(Judged):
    """What is said of the participant of a recorded clip."""

    clip: str
    """The path as it was given."""
    participant: str
    seconds: float = Field(ge=0.0)
    """Of media judged; a gap in which neither track has anything does not count."""
    tracks: JudgedTracks
    scores: dict[str, EvidencedScore]
    """By detector."""
