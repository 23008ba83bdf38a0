"""A recorded clip as it would come over RTP, in virtual time: stamped by the clock from packets' times and reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from monitor.decision.decide import Decision
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.tap.media.clock import CLOCK_RATES_HZ, CallClock
from monitor.types import AudioBlock, ClockState, MediaItem, ParticipantKey, TrackFault, TrackKind
from tests.monitor.tap.media.senders import EPOCH

SSRC: dict[TrackKind, int] = {"audio": 1, "video": 2}


@dataclass(frozen=True)
class Mute:
    """Seconds of a clip in which a track sends nothing; its RTP time stands still meanwhile."""

    kind: TrackKind
    first: float
    last: float

    def stood(self, kind: TrackKind, at: float) -> float:
        return min(max(at - self.first, 0.0), self.last - self.first) if kind == self.kind else 0.0


def sent(
    items: Iterable[MediaItem], seconds: int, skew: float = 0.0, late: float = 0.0, mute: Mute | None = None
) -> Iterator[MediaItem]:
    """Give a clip with a report of each track a second.

    Reports of the sound say `skew` seconds more, and all of the sound comes `late`.
    """
    clock, placed = CallClock(), list[tuple[float, int, MediaItem | TrackKind]]()
    mute = mute or Mute("audio", 0.0, 0.0)
    for n, item in enumerate(items):
        assert not isinstance(item, TrackFault)
        delay = 0.05 + (late if isinstance(item, AudioBlock) else 0.0)
        placed.append((item.stamp.capture + delay, n, item))
    for second in range(seconds):
        placed += [(second + 0.3 + n / 10, -1 - n, kind) for n, kind in enumerate(SSRC)]
    for arrival, _, what in sorted(placed, key=lambda entry: entry[:2]):
        if isinstance(what, str):
            ntp = EPOCH + arrival + (skew if what == "audio" else 0.0)
            rtp = round((arrival - mute.stood(what, arrival)) * CLOCK_RATES_HZ[what])
            clock.sender_report(what, ntp, rtp, arrival, SSRC[what])
        elif not isinstance(what, TrackFault):
            kind: TrackKind = "audio" if isinstance(what, AudioBlock) else "video"
            at = what.stamp.capture
            if kind != mute.kind or not mute.first <= at < mute.last:
                rtp = round((at - mute.stood(kind, at)) * CLOCK_RATES_HZ[kind])
                yield replace(what, stamp=clock.stamp(kind, rtp, arrival, SSRC[kind]))


def judged(models: Models, items: Iterable[MediaItem]) -> list[tuple[float, Decision]]:
    """Every decision on a participant, and the arrival time at which it was made."""
    session, decisions, mapped = Session(ParticipantKey("call", "ann"), models), list[tuple[float, Decision]](), 0
    for item in items:
        assert not isinstance(item, TrackFault)
        report = session.tick(item.stamp.arrival)
        decisions += [(report.now, report.decision)] if report else []
        mapped += item.stamp.state is ClockState.MAPPED
        session.push(item)
    assert mapped > 1000
    return decisions
