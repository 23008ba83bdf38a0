"""How a source is doing, and when it is tried again: half a second to eight, doubling, with jitter. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 8.0
# What the other side asks for may be longer than our own pauses, up to this.
LONGEST_ASKED_SECONDS = 300.0
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


def retry_delay_seconds(failures: int, jitter: float, asked_seconds: float | None = None) -> float:
    """Return the pause after `failures` attempts in a row (at least 1) have failed.

    `jitter` in [0, 1) spreads it over the upper half of the step, so that sources that failed together do not come back
    together. `asked_seconds` is what the other side asked for: it lengthens the pause.
    """
    # Beyond 2**10 the longest pause is reached; a bounded exponent cannot overflow.
    step = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 10))
    return max(step * (1.0 + jitter) / 2.0, min(asked_seconds or 0.0, LONGEST_ASKED_SECONDS))
