"""Who may send to a port of plain RTP: the first who sends what belongs there, until they have been silent. Pure.

Without SRTP this is no proof of who sends; it keeps others from mixing their packets in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Address = tuple[str, int]
# A sender that is restarted comes from another port.
RELEASE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class SourcePin:
    """Where the media of a track come from, once known, where its RTCP does, and when a packet of either came last.

    `reports_to` is the port of the sender that takes ours, where that was said beforehand.
    """

    media: Address | None = None
    rtcp: Address | None = None
    heard_at: float = float("-inf")
    reports_to: int | None = None

    def may_send(self, address: Address, now: float) -> bool:
        """Whether a packet from an address is looked at: before its authentication, which costs more."""
        return self.media is None or address in (self.media, self.rtcp) or self._is_released(now)

    def heard(self, address: Address, now: float) -> SourcePin:
        """Take note of a media packet that belongs here: it authenticated, or its format was agreed on."""
        if self.media == address:
            return replace(self, heard_at=now)
        return SourcePin(address, None, now, self.reports_to)

    def may_report(self, address: Address, now: float) -> bool:
        """Whether RTCP from an address is looked at: of the same machine as the media."""
        return self.media is not None and address[0] == self.media[0] and not self._is_released(now)

    def reported(self, address: Address) -> SourcePin:
        """Take note of RTCP that belongs here."""
        return replace(self, rtcp=address)

    def feedback(self, *, is_multiplexed: bool) -> Address | None:
        """Return where RTCP goes: whence it comes, else as was said, else to the media's port or the one after."""
        if self.rtcp is not None or self.media is None:
            return self.rtcp
        host, port = self.media
        if self.reports_to is not None:
            return host, self.reports_to
        return (host, port) if is_multiplexed else (host, port + 1)

    def _is_released(self, now: float) -> bool:
        return now - self.heard_at > RELEASE_SECONDS
