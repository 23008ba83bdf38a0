"""What becomes of those whom a gateway had that is gone: each of the others takes some of them over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import structlog

from monitor.alerts.finding import Finding, FindingTracker, OpenFinding
from monitor.alerts.journal import JournalError
from monitor.host.cluster.fleet import Fleet
from monitor.host.cluster.ledger import Lost, Place, Seat
from monitor.host.departed import Departed
from monitor.host.peers.peer_view import PeerView
from monitor.host.peers.sharing import heir, place_of
from monitor.storage.tenancy.names import outside
from monitor.types import ParticipantKey, Reason

# Far from the numbers of ways in, and of hosts that are gone.
FIRST_SOURCE = -1_000_000
# So long what another gateway is to take over is kept here too: it may go in the same moment.
ASSIGNED_SECONDS = 10.0
MARGIN_SECONDS = 0.1


class Journals(Protocol):
    """What is written down of findings; what is no coroutine but `has` blocks, and raises `JournalError`."""

    async def settled(self) -> None:
        """Wait until what was found before is written down."""
        ...

    def has(self, call: str) -> bool:
        """Whether there is any of a call's tenant here."""
        ...

    def written(self, finding: Finding) -> bool:
        """Whether a change of a finding is."""
        ...

    def standing(self, call: str, finding: OpenFinding) -> OpenFinding | None:
        """Return an open finding of a call as it is, None where it is closed."""
        ...


@dataclass(frozen=True, slots=True)
class Assigned:
    """Somebody whom the gateway `heir` takes over, since `at`, from the one that is `gone`."""

    heir: str
    gone: str
    at: float
    lost: Lost


@dataclass(slots=True)
class Adoption:
    """Takes over at the gateway called `name`.

    A gateway that is gone may be one that is only not heard: it goes on, and writes. So what is written down of a
    finding is asked for before anything is written of it here.
    """

    fleet: Fleet
    name: str
    clock: Callable[[], float]
    journals: Journals
    _assigned: list[Assigned] = field(default_factory=list)
    # Under which number the coverage lists whoever was taken over, until they are back.
    _awaited: dict[Place, int] = field(default_factory=dict)
    # What is remembered here of those whom a gateway remembered that may be back with them.
    _copies: dict[ParticipantKey, Departed] = field(default_factory=dict)
    _sources: count[int] = field(default_factory=lambda: count(FIRST_SOURCE, -1))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def lost(self, view: PeerView, reason: Reason, others: Sequence[str]) -> None:
        """Take note that a gateway is gone; `others` are those that take over, besides this one."""
        now, mine = self.clock(), list[Lost]()
        self._tidy()
        assigned = [one.lost for one in self._assigned if one.heir == view.id]
        self._assigned = [one for one in self._assigned if one.heir != view.id]
        for one in _together(view.lost(now, reason), assigned):
            place = place_of(one)
            if place is None:
                continue
            chosen = heir(place, [self.name, *others])
            if chosen == self.name:
                mine.append(one)
            else:
                self._assigned.append(Assigned(chosen, view.id, now, one))
        asyncio.get_running_loop().call_later(ASSIGNED_SECONDS + MARGIN_SECONDS, self._tidy)
        # One that ends in order writes down by itself what it has found.
        recent = [] if view.leaving else list(view.recent)
        ours = [(f, at) for f, at in recent if heir((f.key.call, f.key.participant), [self.name, *others]) == self.name]
        self._begin(self._take_over(mine, ours, reason))

    def taken_over(self, place: Place) -> tuple[str, str] | None:
        """Return which gateway takes somebody over, and from which, where that may still be going on; None for none."""
        newest_first = (one for one in reversed(self._assigned) if place_of(one.lost) == place)
        return next(((one.heir, one.gone) for one in newest_first), None)

    async def settled(self, seconds: float) -> None:
        """Wait until nobody is being taken over, but no longer than this: the database may not answer."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    async def close(self) -> None:
        """Have done with whatever goes on."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def heard(self, view: PeerView, op: str, body: Any) -> None:
        """Take note of what another gateway, of this view, says of somebody who may be awaited here."""
        match op:
            case "seat" | "kept" if self._tasks:
                self._begin(self._heard_then(view, op, body, set(self._tasks)))
            case "seat":
                self._back(body)
            case "kept":
                self._kept(body)
            case "state" if (place := (body["message"]["call"], body["message"]["participant"])) in self._awaited:
                self.fleet.watching.hop(body["message"])
                self._settle(place)
            case "ended" if (place := (body[0], body[1])) in self._awaited:
                self._drop(place)

    def seated(self, place: Place) -> None:
        """Take note that somebody is judged here, whom the coverage awaits no more then."""
        self._awaited.pop(place, None)
        self._arrived(place)

    async def _heard_then(self, view: PeerView, op: str, body: Any, before: set[asyncio.Task[None]]) -> None:
        """Take note of it once nobody is being taken over who may be the same, if it is still so."""
        await asyncio.wait(before)
        if op == "kept" and body.key in view.kept:
            self._kept(body)
        elif op == "seat" and view.seat((body.claimed.key.call, body.claimed.key.participant)) is not None:
            self._back(body)

    def _kept(self, departed: Departed) -> None:
        """Leave somebody to the gateway that remembers them: it was not gone."""
        copy, key = self._copies.pop(departed.key, None), departed.key
        if any(one is copy for one in self.fleet.memory.memory.departed):
            for one in self.fleet.memory.give_up(key.call, key.participant):
                if one is not copy:
                    self.fleet.memory.left(one)

    def _arrived(self, place: Place) -> None:
        """Take note that somebody is judged somewhere: nobody has to take them over any more."""
        self._assigned = [one for one in self._assigned if place_of(one.lost) != place]

    def _tidy(self) -> None:
        """Keep nothing of anybody for longer than it is of use."""
        now, here = self.clock(), self.fleet.watching.here
        self._assigned = [one for one in self._assigned if now - one.at < ASSIGNED_SECONDS]
        self._awaited = {place: source for place, source in self._awaited.items() if here(place)}
        known = {id(one) for one in self.fleet.memory.memory.departed}
        self._copies = {key: one for key, one in self._copies.items() if id(one) in known}

    def _back(self, seat: Seat) -> None:
        """Somebody is judged again, elsewhere: nothing is to be kept of them here."""
        key = seat.claimed.key
        place = (key.call, key.participant)
        self._arrived(place)
        goes_on = None if seat.finding is None else seat.finding.id
        for known in self.fleet.memory.give_up(*place):
            # Who had to begin anew there closes nothing of before.
            if known.finding is not None and known.finding.id != goes_on:
                self._begin(self._close(known.key, known.finding, known.reason))
        if place in self._awaited:
            self.fleet.watching.judged(key)

    def _settle(self, place: Place) -> None:
        described = self.fleet.watching.describe(place[0], {})
        people = described["participants"] if described is not None else []
        if any(one["participant"] == place[1] and one["coverage"]["watched"] for one in people):
            self._drop(place)

    def _drop(self, place: Place) -> None:
        source = self._awaited.pop(place)
        self.fleet.watching.closed(source)
        if self.fleet.ledger.seat(place) is None:
            self.fleet.watching.ended(place)

    async def _take_over(self, mine: Sequence[Lost], recent: Sequence[tuple[Finding, float]], reason: Reason) -> None:
        """Write down first what the other one did not come to, then what its end changes."""
        fleet = self.fleet
        for finding, at in await self._unwritten(recent):
            fleet.taking_off.findings.put(finding, at)
        for lost in mine:
            one = await self._standing(lost)
            place = place_of(one)
            if place is None:
                continue
            if (seat := fleet.ledger.seat(place)) is not None:
                # They are judged here already: what was found where they were before is over.
                known = one.known
                if known is not None and known.finding is not None and not _goes_on(seat, known.finding):
                    await self._close(known.key, known.finding, known.reason)
                continue
            source = next(self._sources)
            if one.seat is not None:
                self._awaited[place] = source
                fleet.watching.judged(one.seat.claimed.key)
            fleet.taking_off.take([one], source, reason, self.clock(), fleet.remembers)
            if one.seat is None and one.known is not None:
                copies = [d for d in fleet.memory.memory.departed if d.key == one.known.key]
                self._copies |= {copy.key: copy for copy in copies}

    async def _standing(self, lost: Lost) -> Lost:
        """Return somebody with the finding that is open as it is written down."""
        seat, known = lost.seat, lost.known
        finding = seat.finding if seat is not None else known.finding if known is not None else None
        place = place_of(lost)
        if finding is None or place is None:
            return lost
        found = await self._as_written(place[0], finding)
        return Lost(
            None if seat is None else replace(seat, finding=found),
            None if known is None else replace(known, finding=found),
        )

    async def _as_written(self, call: str, finding: OpenFinding) -> OpenFinding | None:
        try:
            return await asyncio.to_thread(self.journals.standing, call, finding)
        except JournalError:
            return finding

    async def _unwritten(self, recent: Sequence[tuple[Finding, float]]) -> list[tuple[Finding, float]]:
        """Return which of these changes are not written down, as far as it can be told.

        Each tenant's are written in their order: before one that is, all are. Participants wait for this.
        """
        missing, known = list[tuple[Finding, float]](), set[str]()
        for finding, at in reversed(recent):
            tenant = outside(finding.key.call)[0]
            try:
                if tenant not in known and await asyncio.to_thread(self.journals.written, finding):
                    known.add(tenant)
            except JournalError:
                # It is written once, however often it is given.
                return list(recent)
            if tenant not in known:
                missing.append((finding, at))
        return missing[::-1]

    async def _close(self, key: ParticipantKey, finding: OpenFinding, reason: str) -> None:
        """Close a finding that nobody goes on with, unless whoever had it has done so."""
        found = await self._as_written(key.call, finding)
        closed = FindingTracker(key, finding=found).end(datetime.now(UTC), reason)
        if closed is not None:
            self.fleet.taking_off.findings.put(closed, self.clock())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="adoption")
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.stdlib.get_logger("peers").error("somebody could not be taken over", exc_info=error)


def _together(lost: Sequence[Lost], assigned: Sequence[Lost]) -> list[Lost]:
    """Return whom a gateway had, with those whom it was to take over: it may not have come to that.

    Of whom it only says that they are remembered there, they are still awaited, by everybody who was told so.
    """
    made = {place_of(one): one for one in assigned}
    others = list[Lost]()
    for one in lost:
        before = made.get(place_of(one))
        if one.seat is None and before is not None and before.seat is not None and one.known is not None:
            made[place_of(one)] = Lost(replace(before.seat, finding=one.known.finding), one.known)
        else:
            made.pop(place_of(one), None)
            others.append(one)
    return [*others, *made.values()]


def _goes_on(seat: Seat, finding: OpenFinding) -> bool:
    return seat.finding is not None and seat.finding.id == finding.id
