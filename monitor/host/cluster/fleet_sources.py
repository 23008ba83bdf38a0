"""The ways into calls of several hosts, as one `Sources` and one `Actions`: each runs on one host, or waits for one."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from engines.errors import SidewitnessError
from monitor.alerts.wire import Message
from monitor.config import SourceSettings
from monitor.host.calls import ActionStatus, AtCapacity, Outcome
from monitor.host.cluster.audience import Audience
from monitor.host.cluster.far_host import FarHost
from monitor.host.cluster.ledger import Ledger, Place
from monitor.host.cluster.link import LinkLost
from monitor.host.cluster.placement import HostView, share
from monitor.host.cluster.refusals import HostError
from monitor.host.ingest import MAX_SOURCES
from monitor.host.remembering import Remembered
from monitor.host.sources import requested_source
from monitor.host.supervision import SourcePhase
from monitor.host.watching import Watching
from monitor.storage.tenancy.names import DEFAULT_TENANT, inside
from monitor.types import Action, ActionKind, Reason

# A plug-in that does not leave is waited for, and an action is asked of a platform for so long.
ASK_SECONDS = 15.0


class Hosts(Protocol):
    """What is needed of the fleet."""

    hosts: list[FarHost]
    ledger: Ledger
    memory: Remembered
    watching: Watching
    draining: bool
    audience: Audience

    def view(self, host: FarHost) -> HostView:
        """Return a host as whoever places sees it."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """One way in: on which host it is, None while it waits for one, and what was last said of it, and when.

    `key` is the same at every gateway with the same settings; None where it is this one's alone.
    """

    settings: SourceSettings
    tenant: str = DEFAULT_TENANT
    key: str | None = None
    host: int | None = None
    at: float = 0.0
    about: Message = field(default_factory=dict)
    actions: frozenset[ActionKind] = frozenset()
    places: frozenset[Place] = frozenset()

    def waiting(self, at: float = 0.0) -> Placed:
        """Return it without a host, since then: nothing that was said of it holds."""
        return Placed(self.settings, self.tenant, self.key, at=at)


class FleetSources:
    """Those of the settings come first, by their place there; more may be added, which are not there any more later.

    They are those of all tenants, numbered together; each tenant has its own by `TenantSources`. One of the settings
    that several gateways have is opened by one of them.
    """

    def __init__(
        self, fleet: Hosts, sources: Mapping[str, Sequence[SourceSettings]], clock: Callable[[], float]
    ) -> None:
        self._fleet, self._clock = fleet, clock
        every = [(tenant, settings) for tenant, settings_of in sources.items() for settings in settings_of]
        keys = keys_of(every)
        self._placed = {n: Placed(one, tenant, keys[n]) for n, (tenant, one) in enumerate(every)}
        self.configured = frozenset(keys)
        self.claimed: frozenset[str] = frozenset()
        self._next = len(self._placed)
        self._tasks: set[asyncio.Task[None]] = set()

    def describe(self, tenant: str) -> list[Message]:
        """Describe every source of a tenant; see `Sources.describe`."""
        return [self._describe(number, one) for number, one in sorted(self._placed.items()) if one.tenant == tenant]

    async def add(self, settings: SourceSettings, tenant: str) -> Message:
        """Open one more for a tenant; raises `ConfigError` or `AtCapacity`."""
        number, self._next = self._next, self._next + 1
        # Here first: a mistake in it is told as it is without hosts.
        await asyncio.to_thread(requested_source, number, settings)
        if self._fleet.draining:
            raise AtCapacity("the sidecar is shutting down")
        if len(self._placed) >= MAX_SOURCES:
            raise AtCapacity(f"there are {MAX_SOURCES} sources already: remove one that is not needed any more")
        self._placed[number] = Placed(settings, tenant)
        self._place(number)
        return self._describe(number, self._placed[number])

    async def remove(self, number: int, tenant: str) -> bool:
        """End one of a tenant and whom it has brought; False where there is none of this number."""
        one = self._placed.get(number)
        if one is None or one.tenant != tenant:
            return False
        del self._placed[number]
        if one.host is not None:
            await self._ask(self._fleet.hosts[one.host], "remove_source", number)
        self._fleet.watching.closed(number)
        return True

    def possible(self, tenant: str, call: str, participant: str) -> frozenset[ActionKind]:
        """Return what can be done to a tenant's participant; see `Actions.possible`."""
        there = (one for one in self._of(tenant) if (call, participant) in one.places)
        return frozenset().union(*(one.actions for one in there))

    async def act(self, tenant: str, call: str, participant: str, action: Action) -> Outcome:
        """Do something to a tenant's participant, or in the room that they are in; see `Actions.act`."""
        seat = self._fleet.ledger.seat((inside(tenant, call), participant))
        listing = {one.host for one in self._of(tenant) if (call, participant) in one.places}
        numbers = dict.fromkeys(
            [*([seat.host] if seat is not None else []), *sorted(n for n in listing if n is not None)]
        )
        outcome = Outcome(ActionStatus.NOT_HERE, "they came by no source, or are here no more")
        for number in numbers:
            if number is None:
                continue
            try:
                body = (tenant, call, participant, action)
                outcome = await self._fleet.hosts[number].ask("act", body, seconds=ASK_SECONDS)
            except (LinkLost, HostError, TimeoutError):
                outcome = Outcome(ActionStatus.FAILED, "what runs their source is gone: see whether it was done")
            if outcome.status is not ActionStatus.NOT_HERE:
                break
        return outcome

    def start(self) -> None:
        """Give every source a host, on the running loop."""
        for number, one in list(self._placed.items()):
            if one.host is None:
                self._place(number)

    def review(self) -> None:
        """Open what no other gateway has any more, and leave to another one what both have."""
        for number, one in list(self._placed.items()):
            if one.key in self.claimed and not self._fleet.audience.may_open(one.key):
                self._claim(self.claimed - {one.key})
                self._placed[number] = one.waiting(self._clock())
                if one.host is not None:
                    self._begin(self._ask(self._fleet.hosts[one.host], "remove_source", number))
                self._fleet.watching.closed(number)
        if not self._fleet.draining:
            self.start()

    async def close(self) -> None:
        """Do nothing: a host that is let go ends its sources."""

    def came(self, host: FarHost) -> None:
        """Take note of a host that is ready: what waits for one goes there."""
        for number, one in list(self._placed.items()):
            if one.host is None:
                self._place(number)

    def gone(self, host: FarHost) -> None:
        """Take note of a host that is gone: its sources go to another one, or wait for one."""
        for number, one in list(self._placed.items()):
            if one.host == host.number:
                self._placed[number] = one.waiting()
                if not self._fleet.draining:
                    self._fleet.watching.lost(number, ())
                    self._place(number)

    def leave(self, host: FarHost) -> None:
        """Take the sources off a host that is let go: they wait until it has ended them, and go to another one then."""
        for number, one in list(self._placed.items()):
            if one.host == host.number:
                self._placed[number] = one.waiting(self._clock())
                self._fleet.watching.lost(number, (), Reason.HOST_DRAINED)

    def said(self, host: FarHost, op: str, body: Any) -> None:
        """Take what a host says of its sources; of one that is not there any more it says nothing that counts."""
        watching = self._fleet.watching
        match op:
            case "listed" | "lost" if not self._is_on(host, body["source"]):
                return
            case "closed" if not self._is_on(host, body):
                return
            case "listed":
                watching.listed(body["source"], body["call"], body["listed"])
            case "lost":
                watching.lost(body["source"], body["brought"])
            case "closed":
                watching.closed(body)
            case "forget":
                self._forget(host, body)
            case "beat" if body.get("sources"):
                self._take(host, body["sources"])

    def _is_on(self, host: FarHost, source: int) -> bool:
        one = self._placed.get(source)
        return one is not None and one.host == host.number

    def _take(self, host: FarHost, described: Iterable[Any]) -> None:
        for said in described:
            one = self._placed.get(said["source"])
            if one is not None and one.host == host.number:
                known = {"about": said["about"], "actions": said["actions"], "places": said["places"]}
                began = one.at if one.about.get("phase") == said["about"]["phase"] else self._clock()
                self._placed[said["source"]] = replace(one, at=began, **known)

    def _forget(self, host: FarHost, call: str) -> None:
        """Delete what is kept of a call, and end those whom other hosts judge in it."""
        self._fleet.memory.forget(call)
        self._fleet.watching.forget(call)
        for other in self._fleet.hosts:
            for place in [place for place in self._fleet.ledger.on(other.number) if place[0] == call]:
                if other is not host:
                    self._begin(self._ask(other, "remove", place))

    def _place(self, number: int) -> None:
        """Give a source the host that has the fewest; it waits where none is ready."""
        key = self._placed[number].key
        if key is not None and key not in self.claimed:
            if not self._fleet.audience.may_open(key):
                return
            self._claim(self.claimed | {key})
        held: dict[int, int] = {}
        for one in self._placed.values():
            if one.host is not None:
                held[one.host] = held.get(one.host, 0) + 1
        host = share(map(self._fleet.view, self._fleet.hosts), held)
        if host is not None:
            one = self._placed[number] = replace(self._placed[number], host=host, at=self._clock())
            settings = one.settings.model_dump(mode="json")
            body = {"number": number, "settings": settings, "tenant": one.tenant}
            self._begin(self._ask(self._fleet.hosts[host], "add_source", body))

    def _claim(self, claimed: frozenset[str]) -> None:
        self.claimed = claimed
        self._fleet.audience.ways(self.configured, claimed)

    def _of(self, tenant: str) -> list[Placed]:
        return [one for one in self._placed.values() if one.tenant == tenant]

    async def _ask(self, host: FarHost, op: str, body: Any) -> None:
        try:
            await host.ask(op, body, seconds=ASK_SECONDS)
        except (LinkLost, TimeoutError):
            return
        except SidewitnessError as error:
            structlog.stdlib.get_logger("ingest").error("a host could not do what it was asked", op=op, why=str(error))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _why_not(self, one: Placed) -> str | None:
        if one.host is not None:
            return None
        return "no host is ready" if one.key is None or one.key in self.claimed else "another gateway has it"

    def _describe(self, number: int, one: Placed) -> Message:
        waiting = {
            "source": number,
            "plugin": one.settings.plugin,
            "phase": str(SourcePhase.CONNECTING),
            "seconds": 0.0,
            "failures": 0,
            "why": self._why_not(one),
            "participants": 0,
        }
        return {**waiting, **one.about, "seconds": round(max(0.0, self._clock() - one.at), 3)}


def keys_of(sources: Iterable[tuple[str, SourceSettings]]) -> list[str]:
    """Return of each source of a tenant what it is called among gateways: whoever has the same settings says the same.

    It says nothing of what they hold, which may be secrets.
    """
    seen: dict[str, int] = {}
    keys = []
    for tenant, settings in sources:
        words = json.dumps([tenant, settings.model_dump(mode="json")], sort_keys=True)
        seen[words] = seen.get(words, 0) + 1
        keys.append(hashlib.sha256(f"{seen[words]} {words}".encode()).hexdigest())
    return keys


@dataclass(frozen=True, slots=True)
class TenantSources:
    """The ways in of one tenant, on whatever host each runs; its `WaysIn`."""

    fleet: FleetSources
    tenant: str

    def describe(self) -> list[Message]:
        """Describe every source; see `Sources.describe`."""
        return self.fleet.describe(self.tenant)

    async def add(self, settings: SourceSettings) -> Message:
        """Open one more; see `Sources.add`."""
        return await self.fleet.add(settings, self.tenant)

    async def remove(self, number: int) -> bool:
        """End one and whom it has brought; see `Sources.remove`."""
        return await self.fleet.remove(number, self.tenant)

    def possible(self, call: str, participant: str) -> frozenset[ActionKind]:
        """Return what can be done to a participant; see `Actions.possible`."""
        return self.fleet.possible(self.tenant, call, participant)

    async def act(self, call: str, participant: str, action: Action) -> Outcome:
        """Do something to a participant, or in the room that they are in; see `Actions.act`."""
        return await self.fleet.act(self.tenant, call, participant, action)

    def start(self) -> None:
        """Give every source a host, those of other tenants too; safe to call again."""
        self.fleet.start()

    async def close(self) -> None:
        """Do nothing: a host that is let go ends its sources."""
