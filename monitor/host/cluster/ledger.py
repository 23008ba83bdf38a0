"""Who is judged on which host, and what is known of each of them: what a gateway has when a host is gone. Pure.

The invariants: everybody who is judged is on one host; of a finding that was told of it is known whether it is open,
whatever a host said of it later or did not come to say; what a host says of somebody who is on another one is not
heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.alerts.finding import Finding, OpenFinding
from monitor.alerts.wire import Message
from monitor.host.departed import Departed, Past
from monitor.identity.claimed import Claimed
from monitor.types import ParticipantKey, Verdict

Place = tuple[str, str]
CONNECTING = "connecting"
# Of the entry of somebody who was not heard of yet.
NOTHING: Mapping[str, Any] = {"scores": {}, "statistic": None, "threshold": None, "quality": {}}
SHOWN = ("verdict", "reason", "scores", "statistic", "threshold", "quality")


@dataclass(frozen=True, slots=True)
class Seat:
    """One participant on a host.

    `known` is what would be remembered of them if they left now, None where nothing was judged; `finding` is open.
    `entry` is what was last said of them, `since` when their verdict began, `continues` who they were before; they are
    judged there since they `began`.
    """

    host: int
    claimed: Claimed
    since: str
    known: Departed | None = None
    finding: OpenFinding | None = None
    entry: Mapping[str, Any] = field(
        default_factory=lambda: {"verdict": str(Verdict.INCONCLUSIVE), "reason": CONNECTING, **NOTHING}
    )
    continues: str | None = None
    began: str = ""

    def describe(self) -> Message:
        """Return the participant's entry in `GET /v1/calls`."""
        key = self.claimed.key
        about = {"participant": key.participant, "identity": key.identity}
        return {**about, **self.entry, "since": self.since, **self.claimed.describe(), "continues": self.continues}


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody who was on a host that is gone: their seat, None where they had none yet, and what was known of them."""

    seat: Seat | None
    known: Departed | None


class Ledger:
    """Everybody who is judged, by call and participant; `Past`s wait for those who are about to be."""

    def __init__(self) -> None:
        self._seats: dict[Place, Seat] = {}
        self._pasts: dict[Place, tuple[int, Departed]] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def seat(self, place: Place) -> Seat | None:
        """Return who is judged in a place, None where nobody is."""
        return self._seats.get(place)

    def seats(self) -> list[Seat]:
        """Return everybody's."""
        return list(self._seats.values())

    def on(self, host: int) -> Iterator[Place]:
        """Give the places on a host."""
        return (place for place, seat in self._seats.items() if seat.host == host)

    def begins(self, host: int, key: ParticipantKey, past: Past, now: float, reason: str) -> None:
        """Take note that somebody is about to be judged on a host, which was given their past."""
        if past.state is not None:
            known = Departed(key, now, reason, past.state, past.finding, past.joins)
            place = (key.call, key.participant)
            seat = self._seats.get(place)
            if seat is None or seat.host != host:
                self._pasts[place] = host, known
            else:
                # They are taken to claim somebody else.
                self._seats[place] = replace(seat, known=known, finding=past.finding)

    def judged(self, host: int, claimed: Claimed, since: str) -> Seat:
        """Take note that somebody is judged on a host from now on; returns their seat."""
        place = (claimed.key.call, claimed.key.participant)
        waiting = self._pasts.pop(place, None)
        known = waiting[1] if waiting is not None and waiting[0] == host else None
        seat = Seat(host, claimed, since, known, None if known is None else known.finding, began=since)
        return self.seated(seat)

    def seated(self, seat: Seat) -> Seat:
        """Take somebody's seat as it is."""
        self._seats[seat.claimed.key.call, seat.claimed.key.participant] = seat
        return seat

    def claimed(self, host: int, claimed: Claimed) -> None:
        """Take note that somebody is taken to claim somebody else."""
        self._change(host, (claimed.key.call, claimed.key.participant), claimed=claimed)

    def said(self, host: int, state: Mapping[str, Any]) -> bool:
        """Take a `state` message; False where it is of nobody who is on this host."""
        place = (state["call"], state["participant"])
        seat = self._seats.get(place)
        if seat is None or seat.host != host:
            return False
        since = seat.since if seat.entry["verdict"] == state["verdict"] else state["time"]
        self._seats[place] = replace(seat, entry={name: state[name] for name in SHOWN}, since=since)
        return True

    def checkpoint(self, host: int, known: Departed, continues: str | None) -> None:
        """Take what would be remembered of somebody; of a face that is left out it is what was known before."""
        place = (known.key.call, known.key.participant)
        seat = self._seats.get(place)
        if seat is not None and seat.host == host:
            face = known.face if known.face is not None or seat.known is None else seat.known.face
            self._seats[place] = replace(seat, known=replace(known, face=face), continues=continues)

    def found(self, host: int, finding: Finding) -> None:
        """Take note of a change of a finding: whether it is open is known from now on."""
        is_open = None if finding.action == "closed" else OpenFinding(finding.id, finding.step + 1)
        self._change(host, (finding.key.call, finding.key.participant), finding=is_open)

    def ended(self, host: int, place: Place) -> bool:
        """Take note that somebody is judged no more; False where they are not on this host."""
        seat = self._seats.get(place)
        if seat is None or seat.host != host:
            return False
        del self._seats[place]
        return True

    def lost(self, host: int, now: float, reason: str) -> list[Lost]:
        """Take everybody off a host that is gone; return them, with what is to be remembered of each.

        Those come too who were about to be judged there: what was known of them waits for them again.
        """
        gone = [self._seats.pop(place) for place in list(self.on(host))]
        waiting = [place for place, (number, _) in self._pasts.items() if number == host]
        back = [Lost(None, replace(self._pasts.pop(place)[1], left=now)) for place in waiting]
        return [Lost(seat, _remembered(seat, now, reason)) for seat in gone] + back

    def describe(self, call: str) -> dict[str, Message]:
        """Describe those who are judged in a call, by name."""
        return {place[1]: seat.describe() for place, seat in self._seats.items() if place[0] == call}

    def counts(self, host: int) -> dict[str, int]:
        """Count those on a host by call."""
        found: dict[str, int] = {}
        for call, _ in self.on(host):
            found[call] = found.get(call, 0) + 1
        return found

    def _change(self, host: int, place: Place, **changes: Any) -> None:
        seat = self._seats.get(place)
        if seat is not None and seat.host == host:
            self._seats[place] = replace(seat, **changes)


def _remembered(seat: Seat, now: float, reason: str) -> Departed | None:
    if seat.known is None:
        return None
    # A finding is known by what was told of it: a state that was said before it knows less.
    return replace(seat.known, key=seat.claimed.key, left=now, reason=reason, finding=seat.finding)
