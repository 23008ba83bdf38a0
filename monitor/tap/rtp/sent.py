"""Whether a sender says that it sends nothing, by the packet counts of its sender reports. Pure.

Nothing that comes may be a sender who has nothing to send, as with a muted microphone, or media that are lost on the
way. Sender reports tell: they count the packets that were sent (RFC 3550 section 6.4.1).
"""

from __future__ import annotations

# Longer than the longest packet of sound is: a report so long after a packet is one of a pause.
PAUSE_SECONDS = 0.25
# Browsers report on sound every five seconds, and now and then one is lost.
REPORT_PATIENCE_SECONDS = 12.0
_MASK = 0xFFFFFFFF


class SentPackets:
    """Counts of one SSRC; times are monotonic seconds."""

    def __init__(self) -> None:
        self._heard_at = float("-inf")
        self._silent_at = float("-inf")
        self._count: int | None = None
        self._least_unseen: int | None = None

    def note(self, now: float) -> None:
        """Take note of a packet."""
        self._heard_at = now

    def report(self, count: int, expected: int, now: float) -> None:
        """Take a report: `count` packets were sent; `expected` is how many sequence numbers have passed here."""
        unseen = count - expected & _MASK
        is_new = self._least_unseen is None or unseen - self._least_unseen & _MASK > _MASK >> 1
        nothing_since = count == self._count or (not is_new and unseen == self._least_unseen)
        if is_new:
            self._least_unseen = unseen
        self._count = count
        if not nothing_since:
            self._silent_at = float("-inf")
        elif now - self._heard_at >= PAUSE_SECONDS:
            self._silent_at = now

    def is_silent(self, now: float) -> bool:
        """Whether nothing has come and the sender's newest reports say that nothing was sent."""
        return self._silent_at > self._heard_at and now - self._silent_at <= REPORT_PATIENCE_SECONDS
