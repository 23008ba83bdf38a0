"""The gateway as a host sees it: what the host says goes there, and what only the gateway knows is asked there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from monitor.alerts.finding import Finding
from monitor.alerts.wire import Message
from monitor.detectors.reference import Reference, TemplateError
from monitor.host.cluster.link import Link
from monitor.host.cluster.values import ValueCodecError, encode
from monitor.host.departed import Departed, Past
from monitor.identity.claimed import Claimed, stated
from monitor.types import FloatArray, ParticipantKey, Profile
from plugins.base import Listed

# How long a thread of a host waits for the gateway: a session asks at every hop whom it may compare with.
ASK_SECONDS = 2.0

Place = tuple[str, str]


class Judged(Protocol):
    """A participant of this host, as far as the gateway is told of them."""

    @property
    def claimed(self) -> Claimed:
        """Who they are taken to claim to be."""
        ...


@dataclass(frozen=True, slots=True)
class HeldTerms:
    """What a policy says of how somebody is judged; None where the settings hold."""

    false_alerts_per_hour: float | None = None
    window_seconds: float | None = None
    detectors: frozenset[str] | None = None


class Words:
    """What a host says at every hop: states, findings, and what would be known of somebody if it were gone."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._faces: dict[Place, FloatArray] = {}
        self._claims: dict[Place, Claimed] = {}
        self.find: Callable[[str, str], Judged | None] = lambda _call, _participant: None

    def state(self, message: Message, decided_at: float | None = None) -> None:
        """Say what was decided of somebody."""
        about = f"{message['call']} {message['participant']}"
        self._link.say("state", {"state": message, "at": decided_at}, about)

    def notice(self, message: Message, decided_at: float | None = None) -> None:
        """Say nothing: the gateway keeps the coverage."""

    def put(self, finding: Finding, decided_at: float) -> None:
        """Say a change of a finding."""
        self._link.say("finding", {"finding": finding, "at": decided_at})

    def checkpoint(self, known: Departed, continues: str | None) -> None:
        """Say what would be remembered of somebody; their face only where it is another one than was said."""
        place = (known.key.call, known.key.participant)
        self._tell_claim(place)
        is_new = known.face is not None and self._faces.get(place) is not known.face
        if known.face is not None:
            self._faces[place] = known.face
        face = known.face if is_new else None
        body = {"known": replace(known, face=face), "continues": continues}
        # What is said of a face is said once.
        self._link.say("checkpoint", body, None if is_new else f"{place[0]} {place[1]}")

    # `Watches`: the coverage is the gateway's.

    def judged(self, key: ParticipantKey) -> None:
        """Say that somebody is judged from now on."""
        participant = self.find(key.call, key.participant)
        claimed = participant.claimed if participant is not None else stated(key)
        self._claims[key.call, key.participant] = claimed
        self._link.say("judged", claimed)

    def ended(self, place: Place) -> None:
        """Say that somebody is judged no more."""
        self._faces.pop(place, None)
        self._claims.pop(place, None)
        self._link.say("ended", place)

    def hop(self, state: Mapping[str, Any]) -> None:
        """Say nothing: the state is said already."""

    def listed(self, source: int, call: str, listed: Sequence[Listed]) -> None:
        """Say whom a source lists in a call."""
        self._link.say("listed", {"source": source, "call": call, "listed": list(listed)})

    def lost(self, source: int, brought: Sequence[ParticipantKey]) -> None:
        """Say that a source has failed, and whom it had brought."""
        self._link.say("lost", {"source": source, "brought": list(brought)})

    def closed(self, source: int) -> None:
        """Say that a source has ended."""
        self._link.say("closed", source)

    def forget(self, call: str) -> None:
        """Have nothing known of a call any more."""
        self._link.say("forget", call)

    def calls(self) -> set[str]:
        """Return no call: whoever asks asks the gateway."""
        return set()

    def describe(self, call: str, judged: Mapping[str, Message]) -> Message | None:
        """Describe no call: whoever asks asks the gateway."""
        return None

    def close(self) -> None:
        """Do nothing: the link is closed by whoever runs it."""

    def _tell_claim(self, place: Place) -> None:
        participant = self.find(*place)
        if participant is not None and self._claims.get(place) != participant.claimed:
            self._claims[place] = participant.claimed
            self._link.say("claimed", participant.claimed)


class FarMemory:
    """What is known of those who left: the gateway's, so that they go on wherever they join again."""

    def __init__(self, link: Link, seconds: float) -> None:
        self._link, self._seconds = link, seconds
        # By call: who left it under which name, with a face, and when.
        self._strangers: dict[str, dict[str, float]] = {}

    @property
    def seconds(self) -> float:
        """For how long somebody is remembered."""
        return self._seconds

    def stranger(self, call: str, participant: str, left: float) -> None:
        """Take note that somebody has left a call in which somebody here is."""
        self._strangers.setdefault(call, {})[participant] = left

    def call_is_over(self, call: str) -> None:
        """Forget who left a call in which nobody here is any more."""
        self._strangers.pop(call, None)

    def left(self, departed: Departed) -> None:
        """Have one who left remembered; what a detector remembers stays here where it cannot cross."""
        self._link.say("left", _crossing(departed))

    def seeks(self, key: ParticipantKey, since: float) -> bool:
        """Whether somebody has left this call since then under another name."""
        strangers = self._strangers.get(key.call, {})
        return any(left > since and name != key.participant for name, left in strangers.items())

    async def link(self, key: ParticipantKey, face: FloatArray, since: float) -> Departed | None:
        """Ask who of them has this face."""
        found: Departed | None = await self._link.ask("link", {"key": key, "face": face, "since": since})
        return found

    async def past(self, key: ParticipantKey) -> Past:
        """Ask what is known of one who joins."""
        past: Past = await self._link.ask("past", key)
        return past

    def forget(self, call: str) -> None:
        """Do nothing: the gateway forgets it with the coverage of the call."""

    def close(self) -> None:
        """Do nothing: the memory is the gateway's."""


class FarVault:
    """Who claims to be whom, and what enrolled people are compared with; called in threads, which wait."""

    def __init__(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        self._link, self._loop = link, loop

    def claimed(self, key: ParticipantKey, profile: Profile) -> Claimed:
        """Ask whom somebody claims to be."""
        found: Claimed = self._ask("claim", {"key": key, "profile": profile})
        return found

    def terms(self, key: ParticipantKey) -> HeldTerms:
        """Ask how somebody is judged by the policy."""
        found = self._ask("terms", key)
        return HeldTerms(found["rate"], found["window"], found["detectors"])

    def reference(self, name: str) -> FarLookup:
        """Return the lookup that a session of somebody who claims to be `name` calls at every hop."""
        return FarLookup(self._ask, name)

    def _ask(self, op: str, body: Any) -> Any:
        asking = asyncio.run_coroutine_threadsafe(self._link.ask(op, body, ASK_SECONDS), self._loop)
        return asking.result()


class FarLookup:
    """The reference of one claimed identity, for one session; see `monitor.identity.vault.registry.Lookup`."""

    def __init__(self, ask: Callable[[str, Any], Any], name: str) -> None:
        self._ask, self._name = ask, name
        self._mark: str | None = None
        self._reference: Reference | None = None

    def __call__(self) -> Reference | None:
        """Return the reference to compare with now; None where there is none, or the gateway does not answer."""
        try:
            found = self._ask("reference", {"identity": self._name, "mark": self._mark})
        except Exception:
            structlog.stdlib.get_logger("identity").warning("the gateway cannot be asked: nobody is compared now")
            self._mark = self._reference = None
            return None
        if found["mark"] != self._mark:
            self._mark, self._reference = found["mark"], self._read(found["data"])
        return self._reference

    def _read(self, data: bytes | None) -> Reference | None:
        try:
            return None if data is None else Reference.from_bytes(data)
        except TemplateError:
            structlog.stdlib.get_logger("identity").warning("a reference cannot be read: enrol that person anew")
            return None


def _crossing(departed: Departed) -> Departed:
    """Leave out what a detector from elsewhere remembers in types of its own: it begins anew."""
    return replace(departed, memories={name: one for name, one in departed.memories.items() if _crosses(one)})


def _crosses(value: Any) -> bool:
    try:
        encode(value)
    except ValueCodecError:
        return False
    return True
