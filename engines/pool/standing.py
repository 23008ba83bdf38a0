"""Whether a pool is asked, or is left alone for a while because it was not there. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

# A pool that was not there is left alone for so long, and for twice as long each time, up to the longest.
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
# So many in a row that it was too slow for are as good as its not being there.
MAX_LATE = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """`until` is when it may be asked again, `seconds` for how long it was left alone last; `late` were in a row."""

    until: float = 0.0
    seconds: float = 0.0
    late: int = 0

    def asks(self, now: float) -> bool:
        """Whether it is asked."""
        return now >= self.until

    def answered(self) -> Standing:
        """Take note that it has answered, whatever it said."""
        return Standing()

    def too_late(self, now: float) -> Standing:
        """Take note that no answer came in time."""
        return self.gone(now) if self.late + 1 >= MAX_LATE else replace(self, late=self.late + 1)

    def gone(self, now: float) -> Standing:
        """Take note that it is not there; of several who find that out at once the first one counts."""
        if not self.asks(now):
            return self
        seconds = min(LONGEST_SECONDS, 2.0 * self.seconds) if self.seconds else FIRST_SECONDS
        return Standing(now + seconds, seconds)
