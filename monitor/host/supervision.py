"""How a source is doing, and how long it is left alone at most after it failed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

LONGEST_RETRY_SECONDS = 8.0
# A source that was connected for so long begins with the shortest pause again.
STEADY_SECONDS = 60.0


class SourcePhase(StrEnum):
    """Where a source is."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    RETRYING = "retrying"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Supervision:
    """`since` is when the phase began; `failures` counts attempts in a row that failed; `why` is for a person."""

    phase: SourcePhase = SourcePhase.CONNECTING
    since: float = 0.0
    failures: int = 0
    why: str | None = None

    def begin(self, now: float) -> Supervision:
        """Take note that an attempt begins."""
        return replace(self, phase=SourcePhase.CONNECTING, since=now)

    def connected(self, now: float) -> Supervision:
        """Take note that the other side is joined; where that is so already, nothing changes."""
        return (
            self
            if self.phase is SourcePhase.CONNECTED
            else replace(self, phase=SourcePhase.CONNECTED, since=now, why=None)
        )

    def waiting(self, now: float, why: str) -> Supervision:
        """Take note that there is nothing to bring yet; where that is so already, nothing changes."""
        is_old = self.phase is SourcePhase.WAITING and self.why == why
        return self if is_old else replace(self, phase=SourcePhase.WAITING, since=now, why=why)

    def failed(self, now: float, why: str) -> Supervision:
        """Take note that an attempt failed; what failed before a steady connection is forgotten."""
        steady = self.phase is SourcePhase.CONNECTED and now - self.since >= STEADY_SECONDS
        return Supervision(SourcePhase.RETRYING, now, 1 if steady else self.failures + 1, why)

    def ended(self, now: float) -> Supervision:
        """Take note that there will be nobody any more."""
        return Supervision(SourcePhase.ENDED, now)
