"""Another gateway as it has told of itself: who is judged there, who is remembered, and how it does. Pure.

The invariants: after it has told everything once (`whole`), it is known of everybody there; of a finding that it told
of it is known whether it is open; whatever it comes to say after it was lost is not heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.alerts.finding import Finding
from monitor.host.cluster.clocks import departed_moved
from monitor.host.cluster.ledger import Ledger, Lost, Place, Seat
from monitor.host.cluster.placement import HostView
from monitor.host.departed import Departed
from monitor.types import ParticipantKey, Reason

# Findings that it may not have come to write down: more than wait for a journal that answers.
MAX_RECENT = 1024
# The one number of whoever judges there: which of its hosts that is, is its own affair.
HERE = 0


@dataclass(slots=True)
class PeerView:
    """The gateway of this id, whose clock is `behind` ours.

    Of the ways into calls of its settings, which are `configured`, it has opened those that are `claimed`.
    """

    id: str
    behind: float = 0.0
    whole: bool = False
    leaving: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    configured: frozenset[str] = frozenset()
    claimed: frozenset[str] = frozenset()
    kept: dict[ParticipantKey, Departed] = field(default_factory=dict)
    recent: deque[tuple[Finding, float]] = field(default_factory=lambda: deque(maxlen=MAX_RECENT))
    _beat: Mapping[str, Any] = field(default_factory=lambda: {"open": False, "full": False, "cores": 1.0})

    def take(self, op: str, body: Any) -> None:
        """Take what it says; raises `LookupError` for what nobody knows here."""
        match op:
            case "seat":
                self.ledger.seated(_here(body, self.behind))
            case "claimed":
                self.ledger.claimed(HERE, body)
            case "ended":
                self.ledger.ended(HERE, (body[0], body[1]))
            case "state":
                self.ledger.said(HERE, body["message"])
            case "finding":
                self.ledger.found(HERE, body["finding"])
                self.recent.append((body["finding"], body["at"] + self.behind))
            case "checkpoint":
                self.ledger.checkpoint(HERE, departed_moved(body["known"], self.behind), body["continues"])
            case "kept":
                self.kept[body.key] = departed_moved(body, self.behind)
            case "let_go":
                self.kept.pop(body, None)
            case "beat":
                self._beat = body
            case "ways":
                self.configured, self.claimed = frozenset(body["configured"]), frozenset(body["claimed"])
            case "whole":
                self.whole = True
            case "leaving":
                self.leaving = True
            case _:
                raise LookupError("a gateway says what nobody knows here")

    @property
    def heir(self) -> bool:
        """Whether it goes on with what others knew."""
        return self.whole and not self.leaving

    def seat(self, place: Place) -> Seat | None:
        """Return who is judged there under a name, None where nobody is."""
        return self.ledger.seat(place)

    def keeps(self, place: Place) -> bool:
        """Whether somebody who left under this name is remembered there."""
        return any((key.call, key.participant) == place for key in self.kept)

    def host(self, number: int) -> HostView:
        """Return it as whoever places somebody sees a host; `number` is what it is called there."""
        calls = self.ledger.counts(HERE)
        takes = self.heir and bool(self._beat["open"])
        return HostView(number, takes, bool(self._beat["full"]), sum(calls.values()), calls, float(self._beat["cores"]))

    def lost(self, now: float, reason: Reason) -> list[Lost]:
        """Give everybody who was judged or remembered there, and know nobody any more."""
        judged = self.ledger.lost(HERE, now, reason)
        kept = [Lost(None, departed) for departed in self.kept.values()]
        self.kept.clear()
        return judged + kept


def _here(seat: Seat, behind: float) -> Seat:
    known = None if seat.known is None else departed_moved(seat.known, behind)
    return replace(seat, host=HERE, known=known)
