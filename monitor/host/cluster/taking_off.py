"""What happens to everybody who was judged where nothing judges any more: they are waited for, as if they had left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from monitor.alerts.finding import FindingTracker
from monitor.alerts.recorder import TakesFindings
from monitor.alerts.wire import Message
from monitor.host.callbacks import Tells
from monitor.host.cluster.ledger import NOTHING, Lost, Place, Seat
from monitor.host.metrics import Metrics
from monitor.host.remembering import Remembered
from monitor.host.watching import Watching
from monitor.types import Reason, Verdict, rfc3339


@dataclass(frozen=True, slots=True)
class TakingOff:
    """Where it is told: the coverage, subscribers, metrics, the journal, and who remembers."""

    watching: Watching
    hub: Tells
    metrics: Metrics
    findings: TakesFindings
    memory: Remembered

    def take(self, lost: Iterable[Lost], source: int, reason: Reason, now: float, remembers: bool) -> None:
        """Say that these are not watched, for `reason`, and keep what is known of them where anything `remembers`.

        `source` is the number, which no source has, that lists them until they are back.
        """
        every, time = list(lost), datetime.now(UTC)
        seats = [one.seat for one in every if one.seat is not None]
        self.watching.host_lost(source, [place_of(seat) for seat in seats], reason)
        for one in every:
            known = one.known
            if one.seat is not None:
                self.hub.state(_last_state(one.seat, time, reason), now)
                self.metrics.hop(str(Verdict.INCONCLUSIVE), reason)
                tracker = FindingTracker(one.seat.claimed.key, finding=one.seat.finding)
                # Of whom nothing is known nobody can go on: what is open of them is closed.
                change = tracker.end(time, reason, remembers and known is not None)
                if change is not None:
                    self.findings.put(change, now)
                known = None if known is None else replace(known, finding=tracker.finding)
            if known is not None and remembers:
                self.memory.left(known)
            elif known is not None:
                closed = FindingTracker(known.key, finding=known.finding).end(time, known.reason)
                if closed is not None:
                    self.findings.put(closed, now)


def place_of(seat: Seat) -> Place:
    """Return the call and the name of whoever is judged there."""
    return seat.claimed.key.call, seat.claimed.key.participant


def _last_state(seat: Seat, time: datetime, reason: str) -> Message:
    """Return the last state of somebody whose host is gone."""
    entry = {"verdict": str(Verdict.INCONCLUSIVE), "reason": reason, **NOTHING}
    call, participant = place_of(seat)
    return {"type": "state", "call": call, "participant": participant, "time": rfc3339(time), **entry}
