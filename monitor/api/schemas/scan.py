"""What `sidewitness scan --json` prints: one object a line."""

from __future__ import annotations

from pydantic import Field

from monitor.api.schemas.base import EvidencedScore, Judged


class ScanLine(Judged):
    """What is said of the participant of a recorded clip."""

    clip: str
    """The path as it was given."""
    participant: str
    seconds: float = Field(ge=0.0)
    """Of media read."""
    scores: dict[str, EvidencedScore]
    """By detector."""
