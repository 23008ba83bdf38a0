"""What becomes of those whom a gateway had that is gone: each of the others takes some of them over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import structlog

from monitor.alerts.finding import Finding, FindingTracker
from monitor.host.cluster.fleet import Fleet
from monitor.host.cluster.ledger import Lost, Place, Seat
from monitor.host.peers.peer_view import PeerView
from monitor.host.peers.sharing import heir, place_of
from monitor.types import Reason

# Far from the numbers of ways in, and of hosts that are gone.
FIRST_SOURCE = -1_000_000
# So long what another gateway is to take over is kept here too: it may go in the same moment.
ASSIGNED_SECONDS = 10.0


@dataclass(slots=True)
class Adoption:
    """Takes over at the gateway called `name`; `written` says whether a finding's change is in the journal."""

    fleet: Fleet
    name: str
    clock: Callable[[], float]
    written: Callable[[Finding], Awaitable[bool]]
    _assigned: dict[str, list[tuple[float, Lost]]] = field(default_factory=dict)
    # Under which number the coverage lists whoever was taken over, until they are back.
    _awaited: dict[Place, int] = field(default_factory=dict)
    _sources: count[int] = field(default_factory=lambda: count(FIRST_SOURCE, -1))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def lost(self, view: PeerView, reason: Reason, others: Sequence[str]) -> None:
        """Take note that a gateway is gone; `others` are those that take over, besides this one."""
        now, mine = self.clock(), list[Lost]()
        assigned = [one for at, one in self._assigned.pop(view.id, []) if now - at < ASSIGNED_SECONDS]
        everybody = view.lost(now, reason)
        told = {place_of(one) for one in everybody}
        everybody += [one for one in assigned if place_of(one) not in told]
        for one in everybody:
            place = place_of(one)
            if place is None:
                continue
            chosen = heir(place, [self.name, *others])
            if chosen == self.name:
                mine.append(one)
            else:
                self._assigned.setdefault(chosen, []).append((now, one))
        # One that ends in order writes down by itself what it has found.
        recent = [] if view.leaving else list(view.recent)
        ours = [(f, at) for f, at in recent if heir((f.key.call, f.key.participant), [self.name, *others]) == self.name]
        task = asyncio.create_task(self._take_over(mine, ours, reason), name="adoption")
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def settled(self) -> None:
        """Wait until nobody is being taken over."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Have done with whatever goes on."""
        await self.settled()

    def heard(self, op: str, body: Any) -> None:
        """Take note of what another gateway says of somebody who may be awaited here."""
        match op:
            case "seat":
                self._back(body)
            case "state" if (body["message"]["call"], body["message"]["participant"]) in self._awaited:
                self.fleet.watching.hop(body["message"])
                self._settle((body["message"]["call"], body["message"]["participant"]))
            case "ended" if (body[0], body[1]) in self._awaited:
                self._drop((body[0], body[1]))

    def _back(self, seat: Seat) -> None:
        """Somebody is judged again, elsewhere: nothing is to be kept of them here."""
        key = seat.claimed.key
        place = (key.call, key.participant)
        goes_on = None if seat.finding is None else seat.finding.id
        for known in self.fleet.memory.give_up(*place):
            # Who had to begin anew there closes nothing of before.
            finding = known.finding if known.finding is not None and known.finding.id != goes_on else None
            closed = FindingTracker(known.key, finding=finding).end(datetime.now(UTC), known.reason)
            if closed is not None:
                self.fleet.taking_off.findings.put(closed, self.clock())
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
        for finding, at in recent:
            if not await self.written(finding):
                fleet.taking_off.findings.put(finding, at)
        for one in mine:
            place = place_of(one)
            if place is None or fleet.ledger.seat(place) is not None:
                continue
            source = next(self._sources)
            if one.seat is not None:
                self._awaited[place] = source
                fleet.watching.judged(one.seat.claimed.key)
            fleet.taking_off.take([one], source, reason, self.clock(), fleet.remembers)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.stdlib.get_logger("peers").error("somebody could not be taken over", exc_info=error)
