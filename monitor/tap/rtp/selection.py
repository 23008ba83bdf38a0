"""Which SSRC of a media section is decoded where several send: the layers of simulcast are never interleaved. Pure.

The one that the offer names comes first, then those with sender reports, which the clock needs, then the rest; of
equals, the one that was there first. It is decoded until it falls silent or says goodbye.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.tap.media.lru import LruTable

# An SSRC without a packet for so long has fallen silent: another takes over. One that ranks higher takes over after it
# has sent for as long, since every change costs pictures until a key frame comes.
SILENT_SECONDS = 0.5


@dataclass(slots=True)
class Sending:
    """Since when an SSRC has sent without falling silent, and when its last packet came; monotonic seconds."""

    since: float
    last: float

    def note(self, now: float) -> None:
        """Take note of a packet."""
        if self.is_silent(now):
            self.since = now
        self.last = now

    def is_silent(self, now: float) -> bool:
        """Whether nothing has come for too long."""
        return now - self.last >= SILENT_SECONDS


class StreamSelector:
    """Selects one of at most `capacity` SSRCs beside the selected one; those heard longest ago are forgotten."""

    def __init__(self, capacity: int) -> None:
        self.selected: int | None = None
        self._current = Sending(float("-inf"), float("-inf"))
        self._others: LruTable[int, Sending] = LruTable(capacity)
        self._reported: LruTable[int, None] = LruTable(capacity)
        self._named: frozenset[int] = frozenset()

    @property
    def others(self) -> tuple[int, ...]:
        """The SSRCs that are known beside the selected one."""
        return tuple(self._others.entries)

    def name(self, ssrcs: Iterable[int]) -> None:
        """Prefer the SSRCs that the offer names (RFC 5576 section 4.1)."""
        self._named = frozenset(ssrcs)

    def report(self, ssrc: int) -> None:
        """Take note of a sender report."""
        self._reported.put(ssrc, None)

    def leave(self, ssrc: int) -> None:
        """Take note that an SSRC says goodbye (RFC 3550 section 6.6)."""
        if ssrc == self.selected:
            self._current.last = float("-inf")

    def take(self, ssrc: int, now: float) -> bool:
        """Take note of a packet that came at `now`; returns whether it is of the SSRC to decode."""
        if ssrc == self.selected:
            self._current.note(now)
            return True
        sending = self._others.get(ssrc) or self._others.put(ssrc, Sending(now, now))
        sending.note(now)
        if not self._current.is_silent(now):
            has_lasted = now - sending.since >= SILENT_SECONDS
            if not has_lasted or self._rank(ssrc) <= self._rank(self.selected):
                return False
        if self.selected is not None:
            self._others.put(self.selected, self._current)
        self.selected, self._current = ssrc, sending
        self._others.entries.pop(ssrc, None)
        return True

    def _rank(self, ssrc: int | None) -> int:
        if ssrc in self._named:
            return 2
        return 1 if ssrc in self._reported.entries else 0
