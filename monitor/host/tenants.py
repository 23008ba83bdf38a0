"""Tenants on one host: what a tenant sees of it, and where what is decided of a tenant's participants goes.

These two are the gates. A `TenantHost` is all that a tenant's surface and sources are given of the host: it renames the
calls of whoever comes in, and shows those of its tenant alone. `Tenancy` is all that the host is given of the tenants:
it renames what the host says, and gives it to the stores of the tenant whose call it is, which are no other's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from monitor.alerts.finding import Finding, OpenFinding
from monitor.alerts.wire import Message
from monitor.host.calls import Admission, AtCapacity, HostsAlive, Publication
from monitor.host.host import Host
from monitor.host.judges import Asks, Judges, Lists
from monitor.host.step import SessionLike
from monitor.identity.claimed import Claimed
from monitor.storage.tenancy.names import DEFAULT_TENANT, inside, key_inside, key_outside, outside
from monitor.tap.media.source import Source
from monitor.types import ParticipantKey, Profile
from plugins.base import Listed

if TYPE_CHECKING:
    # Not otherwise: a host in a process of its own has no database.
    from monitor.alerts.journal import Journal
    from monitor.alerts.push import Hub
    from monitor.alerts.recorder import Recorder
    from monitor.host.judging import Judging, SessionTerms
    from monitor.host.policing import Policing
    from monitor.identity.vault.vault import Vault

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Room:
    """Where what is said of a tenant's participants goes, and how they are judged."""

    hub: Hub
    policing: Policing
    judging: Judging
    vault: Vault | None = None
    journal: Journal | None = None
    recorder: Recorder | None = None


class Tenancy:
    """Gives what the host says to the room of the tenant that it is of, under the names that the tenant knows."""

    def __init__(self, rooms: Mapping[str, Room]) -> None:
        self._rooms = rooms

    def session(self, key: ParticipantKey) -> SessionLike:
        """Begin a session with what the tenant has enrolled; blocks."""
        return self._rooms[outside(key.call)[0]].judging.session(key)

    def claimed(self, key: ParticipantKey, profile: Profile) -> Claimed:
        """Say whom somebody claims to be among whom the tenant has enrolled; blocks."""
        tenant, bare = key_outside(key)
        found = self._rooms[tenant].judging.claimed(bare, profile)
        return replace(found, key=key_inside(tenant, found.key))

    def terms(self, key: ParticipantKey) -> SessionTerms:
        """Say what the tenant's policy holds for somebody; blocks."""
        return self._rooms[outside(key.call)[0]].judging.terms(key)

    @property
    def vaults(self) -> Mapping[str, Vault]:
        """The vaults of the tenants that have one, by name."""
        return {name: room.vault for name, room in self._rooms.items() if room.vault is not None}

    def has(self, call: str) -> bool:
        """Whether the tenant of a call is one of these."""
        return outside(call)[0] in self._rooms

    def put(self, finding: Finding, decided_at: float) -> None:
        """Take a finding on its way to the tenant's journal."""
        tenant, key = key_outside(finding.key)
        self._rooms[tenant].policing.put(replace(finding, key=key), decided_at)

    def written(self, finding: Finding) -> bool:
        """Whether a change of a finding is in the tenant's journal; blocks. Raises `JournalError`."""
        journal = self._rooms[outside(finding.key.call)[0]].journal
        changes = journal.intact(finding.id) if journal is not None else ()
        return any(change.step == finding.step for change in changes)

    async def settled(self) -> None:
        """Wait until what was found before is in the journals."""
        recorders = [room.recorder for room in self._rooms.values() if room.recorder is not None]
        await asyncio.gather(*(recorder.settled() for recorder in recorders))

    def standing(self, call: str, finding: OpenFinding) -> OpenFinding | None:
        """Return an open finding as the tenant's journal has it, None where it is closed there; blocks.

        Raises `JournalError`.
        """
        journal = self._rooms[outside(call)[0]].journal
        changes = journal.intact(finding.id) if journal is not None else ()
        if any(change.action == "closed" for change in changes):
            return None
        return replace(finding, step=max((finding.step, *(change.step + 1 for change in changes))))

    def state(self, message: Message, decided_at: float | None = None) -> None:
        """Take a state on its way to the tenant's subscribers."""
        room, told = self._told(message)
        room.hub.state(told, decided_at)

    def notice(self, message: Message, decided_at: float | None = None) -> None:
        """Take what the tenant's subscribers are told once."""
        room, told = self._told(message)
        room.hub.notice(told, decided_at)

    def judged(self, key: ParticipantKey) -> None:
        """Take note that somebody is judged from now on."""
        tenant, bare = key_outside(key)
        self._rooms[tenant].policing.judged(bare)

    def ended(self, place: Place) -> None:
        """Take note that somebody is judged no more."""
        tenant, call = outside(place[0])
        self._rooms[tenant].policing.ended((call, place[1]))

    def hop(self, state: Mapping[str, Any]) -> None:
        """Take a `state` message on its way to the tenant's policy."""
        room, told = self._told(state)
        room.policing.hop(told)

    def _told(self, message: Mapping[str, Any]) -> tuple[Room, Message]:
        tenant, call = outside(message["call"])
        return self._rooms[tenant], {**message, "call": call}


@dataclass(frozen=True, slots=True)
class TenantAdmission:
    """An admission under the key that its tenant knows."""

    admission: Admission
    key: ParticipantKey

    @property
    def ended(self) -> bool:
        """Whether they are judged no more."""
        return self.admission.ended

    async def wait(self) -> None:
        """Return when they are judged no more."""
        await self.admission.wait()

    async def end(self) -> None:
        """Let the participant leave."""
        await self.admission.end()


@dataclass(frozen=True, slots=True)
class TenantPublication:
    """A publication under the key that its tenant knows."""

    publication: Publication
    key: ParticipantKey

    @property
    def answer(self) -> str:
        """The SDP answer."""
        return self.publication.answer

    @property
    def etag(self) -> str:
        """Identifies the ICE session."""
        return self.publication.etag

    @property
    def ended(self) -> bool:
        """Whether they are judged no more."""
        return self.publication.ended

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates; raises `SdpError`."""
        await self.publication.add_candidates(fragment)

    async def wait(self) -> None:
        """Return when they are judged no more."""
        await self.publication.wait()

    async def end(self) -> None:
        """Let the participant leave."""
        await self.publication.end()


class TenantCalls:
    """The `Calls` of one tenant, which may hold `places` of those that there are, or all of them."""

    def __init__(self, tenant: str, host: Judges, places: int | None = None) -> None:
        self._tenant, self._judges, self._places = tenant, host, places
        self._admitted: list[Admission] = []
        self._coming: Counter[Place] = Counter()

    @property
    def draining(self) -> bool:
        """Whether nobody is admitted any more."""
        return self._judges.draining

    @property
    def alive(self) -> HostsAlive:
        """How many processes judge, for all tenants."""
        return self._judges.alive

    async def publish(self, key: ParticipantKey, offer: str, owner: str, profile: Profile | None = None) -> Publication:
        """Answer an offer and judge what it brings; see `Calls.publish`."""
        with self._room(key):
            made: Publication = await self._judges.publish(
                key_inside(self._tenant, key), offer, inside(self._tenant, owner), profile
            )
            self._admitted.append(made)
        return made if self._tenant == DEFAULT_TENANT else TenantPublication(made, key_outside(made.key)[1])

    async def judge(self, key: ParticipantKey, source: Source, profile: Profile | None = None) -> Admission:
        """Judge a source that is open already; closes it and raises `AtCapacity` where there is no room."""
        try:
            with self._room(key):
                made: Admission = await self._judges.judge(key_inside(self._tenant, key), source, profile)
                self._admitted.append(made)
        except AtCapacity:
            await source.close()
            raise
        return made if self._tenant == DEFAULT_TENANT else TenantAdmission(made, key_outside(made.key)[1])

    async def remove(self, call: str, participant: str) -> bool:
        """Stop judging a participant; False where there is none."""
        return await self._judges.remove(inside(self._tenant, call), participant)

    async def calls(self) -> list[Message]:
        """Describe every call of the tenant."""
        theirs = ((*outside(described["call"]), described) for described in await self._judges.calls())
        return [{**described, "call": call} for tenant, call, described in theirs if tenant == self._tenant]

    async def call(self, name: str) -> Message | None:
        """Describe one call; None when nobody is in it."""
        found = await self._judges.call(inside(self._tenant, name))
        return None if found is None else {**found, "call": name}

    async def explain(self, call: str, participant: str) -> Message | None:
        """Say by what a participant is taken to claim an identity; None where there is no such participant."""
        found = await self._judges.explain(inside(self._tenant, call), participant)
        return None if found is None else {**found, "call": call}

    @contextlib.contextmanager
    def _room(self, key: ParticipantKey) -> Iterator[None]:
        """Count somebody who comes; raises `AtCapacity` where the tenant holds all the places that it may."""
        place = (key.call, key.participant)
        self._admitted = [one for one in self._admitted if not one.ended]
        held = {(outside(one.key.call)[1], one.key.participant) for one in self._admitted} | self._coming.keys()
        if self._places is not None and place not in held and len(held) >= self._places:
            raise AtCapacity("this tenant has as many participants as it may have")
        self._coming[place] += 1
        try:
            yield
        finally:
            self._coming[place] -= 1
            self._coming += Counter()


class TenantHost(TenantCalls):
    """What the sources of one tenant have of a host in this process, and its `Calls`."""

    def __init__(self, tenant: str, host: Host, places: int | None = None) -> None:
        super().__init__(tenant, host, places)
        self._host = host

    @property
    def claiming(self) -> Asks:
        """What says whom somebody would be taken to claim to be."""
        return TenantClaiming(self._tenant, self._host.claiming)

    @property
    def watching(self) -> Lists:
        """What is known of whom the platforms of the tenant list."""
        return TenantWatching(self._tenant, self._host.watching)

    def show(self, key: ParticipantKey, profile: Profile) -> None:
        """Take what is shown now of somebody."""
        self._host.show(key_inside(self._tenant, key), profile)

    async def forget(self, call: str) -> None:
        """End everybody in a call and keep nothing of it in memory."""
        await self._host.forget(inside(self._tenant, call))


@dataclass(frozen=True, slots=True)
class TenantClaiming:
    """Asks whom somebody of a tenant's calls claims to be."""

    tenant: str
    claiming: Asks

    async def ask(self, key: ParticipantKey, profile: Profile | None) -> Claimed:
        """Say whom somebody claims to be."""
        found = await self.claiming.ask(key_inside(self.tenant, key), profile)
        return replace(found, key=key_outside(found.key)[1])


@dataclass(frozen=True, slots=True)
class TenantWatching:
    """Takes whom the platforms of a tenant list."""

    tenant: str
    watching: Lists

    def listed(self, source: int, call: str, listed: Sequence[Listed]) -> None:
        """Take what a source lists in a call."""
        self.watching.listed(source, inside(self.tenant, call), listed)

    def lost(self, source: int, brought: Sequence[ParticipantKey]) -> None:
        """Take note that a source has failed, and whom it had brought."""
        self.watching.lost(source, [key_inside(self.tenant, key) for key in brought])

    def closed(self, source: int) -> None:
        """Take note that a source has ended."""
        self.watching.closed(source)
