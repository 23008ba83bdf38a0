"""A fleet of hosts in simulated time: who is admitted, shed, refused, and unmonitored because a host died. Pure.

Events are taken in their order, nothing happens between them but what flows: a process that is asked for more than its
power falls behind by as many seconds a second as it lacks. Who is shed then and taken back is decided by the product's
own `monitor.host.shedding`, and which process of a machine somebody goes to by its own
`monitor.host.cluster.placement`, unless another is given. The same arguments give the same outcome.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace
from enum import IntEnum
from itertools import count, islice
from typing import Any, Final, TypeVar
from zlib import crc32

import numpy as np

from monitor.host import shedding
from monitor.host.cluster.placement import HostView, places
from monitor.host.planning.model import Death, Outcome, Placement, SimulatedFleet, Slowdown, Visit
from monitor.host.shedding import TREND_SECONDS, MachineLoad, ParticipantLoad, Place, Shedding

REVIEW_SECONDS: Final = 0.25
# Where nothing is decided, only waited for: no longer than `shedding` counts at once.
CALM_REVIEW_SECONDS: Final = 2.0
# Where judging keeps up: what one step takes and the wait for its turn.
BASE_LAG_SECONDS: Final = 0.1
# Pictures and blocks of sound of a participant, a second.
ITEMS_PER_SECOND: Final = 80.0
# Of a host of which nothing is asked.
IDLE_PACE: Final = 1e9
# Of so many machines at random, where it is not by a hash, the one with most room is chosen.
CANDIDATES: Final = 16


class _Status(IntEnum):
    REFUSED = 0
    UNMONITORED = 1
    JUDGED = 2
    SHED = 3


class _Kind(IntEnum):
    # At the same moment, in this order: who leaves makes room for who comes.
    LEAVE = 0
    REVIVE = 1
    SLOW = 2
    DIE = 3
    REVIEW = 4
    COME = 5
    JOIN = 6


class _Person:
    """One visit as it goes on; `order` is that of admission, `died` that their host did."""

    __slots__ = ("died", "host", "order", "since", "status", "turned_away", "visit")

    def __init__(self, visit: Visit) -> None:
        self.visit, self.order = visit, 0
        self.host: _Host | None = None
        self.status: _Status | None = None
        self.since = visit.at
        self.turned_away = self.died = False

    @property
    def place(self) -> Place:
        return (self.visit.call, self.visit.name)


class _Host:
    """One process: its people, what they ask of it, how far it is behind, what was judged and lost since a review."""

    __slots__ = (
        *("alive", "calls", "demand", "flowed_at", "judged", "lag", "lost", "machine", "number"),
        *("people", "reviewed", "share", "state", "turn"),
    )

    def __init__(self, number: int, machine: int) -> None:
        self.number, self.machine = number, machine
        self.people: dict[Place, _Person] = {}
        self.calls: dict[str, int] = {}
        self.alive, self.reviewed, self.turn = True, False, 0
        self.share, self.demand, self.lag, self.flowed_at = 1.0, 0.0, BASE_LAG_SECONDS, 0.0
        self.judged = self.lost = 0.0
        self.state: Shedding = shedding.initial()


class _Run:
    """One simulation; what is private to it changes with every event."""

    def __init__(self, fleet: SimulatedFleet, seconds: float, place: Placement, seed: int) -> None:
        self.fleet, self.seconds, self._place = fleet, seconds, place
        each = fleet.processes
        self.hosts = [_Host(number, number // each) for number in range(fleet.machines * each)]
        # How many are on each machine; where each call is, for whoever goes by that; machines that have room.
        self._held = [0] * fleet.machines
        self._calls: dict[str, dict[int, int]] = {}
        self._open = dict.fromkeys(range(fleet.machines))
        self._here: dict[_Person, None] = {}
        self._random = np.random.default_rng(seed)
        self._events: list[tuple[float, int, int, Any]] = []
        self._number = count()
        self._totals = [0.0] * len(_Status)
        self.warming = self.late = self.light = 0.0
        self.visits = self.refused = self.sheds = self.deaths = 0

    def add(self, at: float, kind: _Kind, what: Any) -> None:
        if at < self.seconds:
            heapq.heappush(self._events, (at, int(kind), next(self._number), what))

    def run(self) -> Outcome:
        take = (self._leave, self._revive, self._slow, self._die, self._review, self._come, self._join)
        while self._events:
            now, kind, _, what = heapq.heappop(self._events)
            take[kind](now, what)
        for host in self.hosts:
            self._flow(host, self.seconds)
        for person in self._here:
            self._become(person, None, self.seconds)
        return Outcome(
            self.visits,
            self.refused,
            self.sheds,
            self.deaths,
            self._totals[_Status.JUDGED],
            self.warming,
            self.late,
            self.light,
            self._totals[_Status.REFUSED],
            self._totals[_Status.SHED],
            self._totals[_Status.UNMONITORED],
        )

    def _become(self, person: _Person, status: _Status | None, now: float) -> None:
        """Book what somebody was until now; what is before 0 is not looked at."""
        if person.status is not None:
            begun = max(person.since, 0.0)
            passed = max(0.0, now - begun)
            if person.status is _Status.JUDGED:
                warm = min(passed, max(0.0, person.since + self.fleet.warm_seconds - begun))
                passed -= warm
                if person.died:
                    self._totals[_Status.UNMONITORED] += warm
                else:
                    self.warming += warm
                person.died = False
            self._totals[person.status] += passed
        person.status, person.since = status, now

    def _come(self, now: float, person: _Person) -> None:
        self.visits += now >= 0.0
        self._here[person] = None
        self.add(now + person.visit.seconds, _Kind.LEAVE, person)
        self._join(now, person)

    def _join(self, now: float, person: _Person) -> None:
        if person not in self._here:
            return
        call = person.visit.call
        host = self._host_for(person.place)
        if host is None:
            self._turn_away(now, person)
            return
        self._flow(host, now)
        self._become(person, _Status.JUDGED, now)
        person.host, person.order = host, next(self._number)
        host.people[person.place] = person
        host.calls[call] = host.calls.get(call, 0) + 1
        on_machines = self._calls.setdefault(call, {})
        on_machines[host.machine] = on_machines.get(host.machine, 0) + 1
        host.demand += person.visit.weight
        self._hold(host.machine, 1)
        self._watch(host, now)

    def _turn_away(self, now: float, person: _Person) -> None:
        if person.status is None:
            self._become(person, _Status.REFUSED, now)
            self.refused += now >= 0.0
        machine = self._machine_for(person.place)
        has_places = self._held[machine] < self.fleet.places and any(host.alive for host in self._of(machine, None))
        # Where there are places, its hosts are too slow.
        wait = self.fleet.pressed_retry_seconds if has_places else self.fleet.retry_seconds
        self.add(now + wait, _Kind.JOIN, person)

    def _machine_for(self, place: Place) -> int:
        """Choose the machine; whether it has room is seen there."""
        call, participant = place
        if self.fleet.routing != "least":
            name = call if self.fleet.routing == "call" else f"{call}/{participant}"
            return crc32(name.encode()) % self.fleet.machines
        drawn: list[int] = self._random.integers(self.fleet.machines, size=CANDIDATES).tolist()
        with_call = self._calls.get(call, {})
        chosen = [*with_call, *drawn, *islice(self._open, 1)]
        return min(chosen, key=lambda one: (one not in self._open, one not in with_call, self._held[one], one))

    def _host_for(self, place: Place) -> _Host | None:
        """Choose where one more of a call is judged; None where the machine has no place, or no host for them."""
        machine = self._machine_for(place)
        if self._held[machine] >= self.fleet.places:
            return None
        hosts = self._of(machine, None)
        views = [
            HostView(host.number, host.alive, host.state.full, len(host.people), host.calls, self.fleet.cores)
            for host in hosts
        ]
        ordered = (self.hosts[number] for number in self._place(views, place[0]))
        return next((host for host in ordered if host.alive and not host.state.full), None)

    def _hold(self, machine: int, change: int) -> None:
        """Count who is on a machine, and keep which have room: one that is nearly full must not be missed."""
        self._held[machine] += change
        self._note_room(machine)

    def _note_room(self, machine: int) -> None:
        if self._held[machine] < self.fleet.places and any(host.alive for host in self._of(machine, None)):
            self._open.setdefault(machine)
        else:
            self._open.pop(machine, None)

    def _leave(self, now: float, person: _Person) -> None:
        del self._here[person]
        self._out(person, now)
        self._become(person, None, now)

    def _out(self, person: _Person, now: float) -> None:
        host, call = person.host, person.visit.call
        if host is None:
            return
        self._flow(host, now)
        person.host = None
        del host.people[person.place]
        if person.status is _Status.JUDGED:
            host.demand = host.demand - person.visit.weight if host.people else 0.0
        _less(host.calls, call)
        _less(self._calls[call], host.machine)
        if not self._calls[call]:
            del self._calls[call]
        host.state = host.state.without(person.place)
        self._hold(host.machine, -1)

    def _of(self, machine: int, process: int | None) -> list[_Host]:
        first, each = machine * self.fleet.processes, self.fleet.processes
        return self.hosts[first : first + each] if process is None else [self.hosts[first + process]]

    def _die(self, now: float, death: Death) -> None:
        again = now + self.fleet.notice_seconds + self.fleet.rejoin_seconds
        for host in self._of(death.machine, death.process):
            if not host.alive:
                continue
            self.deaths += 1
            for person in list(host.people.values()):
                self._out(person, now)
                self._become(person, _Status.UNMONITORED, now)
                person.died = True
                self.add(again, _Kind.JOIN, person)
            host.alive, host.state, host.lag = False, shedding.initial(), BASE_LAG_SECONDS
        self._note_room(death.machine)
        self.add(now + death.seconds, _Kind.REVIVE, death)

    def _revive(self, _now: float, death: Death) -> None:
        for host in self._of(death.machine, death.process):
            host.alive = True
        self._note_room(death.machine)

    def _slow(self, now: float, slowdown: Slowdown) -> None:
        for host in self._of(slowdown.machine, None):
            self._flow(host, now)
            host.share = slowdown.share
            self._watch(host, now)
        if slowdown.seconds > 0.0:
            self.add(now + slowdown.seconds, _Kind.SLOW, replace(slowdown, share=1.0, seconds=0.0))

    def _watch(self, host: _Host, now: float) -> None:
        """Look at a host from now on where it is asked for more than it can, as often as its state wants it."""
        if host.reviewed:
            self._look_again(host, now)
        elif self._asked(host) > self.fleet.power * host.share:
            host.reviewed = True
            # A host that is not behind is looked at all the same; here that is left out.
            host.state = replace(host.state, read_at=now)
            self._look_again(host, now)

    def _look_again(self, host: _Host, now: float) -> None:
        """Review a host when something may be decided, and not when it was to be before."""
        host.turn += 1
        limit, rise = host.state.config.max_lag_seconds, 1.0 - self._pace(host)
        if host.state.pressure.seconds or host.lag >= limit:
            wait = REVIEW_SECONDS
        elif rise > 0.0:
            # Over so long a time the growth of the lag is read, once it is too large.
            wait = min(max((limit - host.lag) / rise - TREND_SECONDS, REVIEW_SECONDS), CALM_REVIEW_SECONDS)
        else:
            wait = CALM_REVIEW_SECONDS
        self.add(now + wait, _Kind.REVIEW, (host, host.turn))

    def _asked(self, host: _Host) -> float:
        """Return what is asked of a host, in participants of weight 1 who are judged in full."""
        return host.demand * (1.0 - self.fleet.light_saving) if host.state.light else host.demand

    def _pace(self, host: _Host) -> float:
        """Seconds of media that are judged a second, of everybody who is."""
        asked = self._asked(host)
        return self.fleet.power * host.share / asked if asked > 0.0 else IDLE_PACE

    def _flow(self, host: _Host, now: float) -> None:
        """Let time pass for a host, up to now; called before anything changes what is asked of it."""
        passed, host.flowed_at = now - host.flowed_at, now
        if not host.reviewed or passed <= 0.0:
            return
        pace = self._pace(host)
        behind = host.lag + passed * (1.0 - pace)
        judged = max(0.0, min(passed, now)) * (len(host.people) - len(host.state.shed))
        self.late += judged * (host.lag > host.state.config.max_lag_seconds)
        self.light += judged * host.state.light
        host.lag = min(max(behind, BASE_LAG_SECONDS), self.fleet.backlog_seconds)
        host.judged += passed * min(pace, 1.0)
        host.lost += max(0.0, behind - self.fleet.backlog_seconds)

    def _review(self, now: float, due: tuple[_Host, int]) -> None:
        host, turn = due
        if turn != host.turn:
            return
        self._flow(host, now)
        judged, lost = round(ITEMS_PER_SECOND * host.judged), round(ITEMS_PER_SECOND * host.lost)
        host.judged = host.lost = 0.0
        loads = [
            ParticipantLoad(place, person.order, host.lag, judged, lost, person.visit.claimed)
            for place, person in host.people.items()
        ]
        busy = self._asked(host) * self.fleet.cores_each / self.fleet.cores
        machine = MachineLoad(min(1.0, 1.0 - host.share + busy))
        host.state, change = shedding.advance(host.state, now, loads, machine)
        for place in change.shed:
            self._become(host.people[place], _Status.SHED, now)
        for place in change.back:
            self._become(host.people[place], _Status.JUDGED, now)
        self.sheds += len(change.shed)
        if change.shed or change.back:
            host.demand = sum(one.visit.weight for one in host.people.values() if one.status is _Status.JUDGED)
        is_late = host.lag > BASE_LAG_SECONDS or self._asked(host) > self.fleet.power * host.share
        if is_late or host.state.shed or host.state.light or host.state.pressure.seconds:
            self._look_again(host, now)
        else:
            host.reviewed = False


Key = TypeVar("Key", int, str)


def _less(counts: dict[Key, int], key: Key) -> None:
    """Count one less, and forget what there is none of."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def simulate(
    fleet: SimulatedFleet,
    visits: Iterable[Visit],
    seconds: float,
    deaths: Iterable[Death] = (),
    slowdowns: Iterable[Slowdown] = (),
    place: Placement = places,
    seed: int = 0,
) -> Outcome:
    """Play visits, deaths and slowdowns on a fleet for `seconds`; what is before 0 happens and is not counted."""
    run = _Run(fleet, seconds, place, seed)
    for visit in visits:
        run.add(visit.at, _Kind.COME, _Person(visit))
    for death in deaths:
        run.add(death.at, _Kind.DIE, death)
    for slowdown in slowdowns:
        run.add(slowdown.at, _Kind.SLOW, slowdown)
    return run.run()
