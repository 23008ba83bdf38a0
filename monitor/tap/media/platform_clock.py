"""The clock of media that a platform's server has stamped, both tracks with one clock. Pure.

What a sender report says, the stamps say themselves: a report a second is made of them. So jumps, clocks of two minds
and tracks that come too late are found as with any sender, and nothing is claimed that arrival contradicts.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.tap.media.clock import CLOCK_RATES_HZ, CallClock
from monitor.types import ClockState, Stamp, TrackKind

REPORT_SECONDS = 1.0
_SOURCE = 1


class PlatformClock(CallClock):
    """A `CallClock` that is given seconds of the server's clock; `uncertainty` (s) is added to that of either track.

    It is for what the stamps do not say: how much later than its sound a picture reached the server.
    """

    def __init__(self, uncertainty: float) -> None:
        super().__init__()
        self._uncertainty = uncertainty
        self._reported: dict[TrackKind, float] = {}

    def place(self, kind: TrackKind, seconds: float, arrival: float) -> float:
        """Return the media time of what was stamped with `seconds` and came at `arrival`, monotonic seconds."""
        timestamp = round(seconds * CLOCK_RATES_HZ[kind])
        media = self.tracks[kind].rtp(timestamp, arrival, _SOURCE)
        if abs(seconds - self._reported.get(kind, float("-inf"))) >= REPORT_SECONDS:
            self._reported[kind] = seconds
            self.sender_report(kind, seconds, timestamp, arrival, _SOURCE)
        return media

    def at(self, kind: TrackKind, media: float, arrival: float) -> Stamp:
        """Stamp a media time; see `CallClock.at`."""
        stamp = super().at(kind, media, arrival)
        if stamp.state is ClockState.UNKNOWN:
            return stamp
        return replace(stamp, uncertainty=stamp.uncertainty + self._uncertainty)
