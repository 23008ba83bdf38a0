"""Whether a host lives: it has said something lately, as seen by whoever listens. Pure.

Silence is counted while somebody listens: a gateway that was itself held up, or a machine that slept, blames nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

# How often a host says something at the least, and how often whoever listens looks.
BEAT_SECONDS = 0.25
# After so much silence a host has died, whatever its process does: what it judges would be too late.
SILENT_SECONDS = 2.0
# Before it is ready it compiles its models, and may be silent for longer.
STARTING_SILENT_SECONDS = 60.0
# What one look adds at the most.
MAX_STEP_SECONDS = 2 * BEAT_SECONDS


@dataclass(frozen=True, slots=True)
class Liveness:
    """`silent` is for how long nothing came, `looked` when somebody looked last, in monotonic seconds."""

    looked: float
    silent: float = 0.0
    limit: float = SILENT_SECONDS

    def look(self, now: float, heard: bool) -> Liveness:
        """Look, at `now`; `heard` says whether anything came since the last look."""
        step = min(max(now - self.looked, 0.0), MAX_STEP_SECONDS)
        return replace(self, looked=now, silent=0.0 if heard else self.silent + step)

    @property
    def dead(self) -> bool:
        """Whether it has been silent for too long."""
        return self.silent >= self.limit
