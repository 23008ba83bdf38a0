"""What the HTTP surface asks of whoever judges: a `Host` in this process now, hosts in other processes later.

Whatever may have to cross to another process is a coroutine, and takes and returns plain values: an offer goes to where
the media will arrive, and is answered there.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

from engines.errors import SidewitnessError
from monitor.alerts.casework.case import Action as CaseAction
from monitor.alerts.casework.case import Case
from monitor.alerts.wire import Message
from monitor.config import SourceSettings
from monitor.types import Action, ActionKind, ParticipantKey, Profile

RETRY_SECONDS = 5
MAX_NAME_LENGTH = 128
NAME = re.compile(r"\w[\w.~:@+\-]{0,127}")


class InvalidName(SidewitnessError):  # noqa: N818 - a refusal, not a failure
    """A call, participant or identity cannot be called so; the message says which, and what names may hold."""


class AtCapacity(SidewitnessError):  # noqa: N818 - a refusal, not a failure
    """No room: the server is full, too slow for more, or shutting down. `retry_after` is in seconds."""

    def __init__(self, why: str, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Occupied(SidewitnessError):  # noqa: N818 - a refusal, not a failure
    """Somebody else is published under this name. `retry_after` is in seconds."""

    def __init__(self, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__("somebody else is published under this name: choose another, or wait until their media stop")
        self.retry_after = retry_after


def participant_key(call: str, participant: str, identity: str | None = None) -> ParticipantKey:
    """Return the key of a participant; raises `InvalidName`. Names are opaque: nothing is normalised.

    An empty `identity` is none.
    """
    for kind, name in (("call", call), ("participant", participant)):
        if not NAME.fullmatch(name):
            raise InvalidName(
                f"the {kind} must be 1 to {MAX_NAME_LENGTH} letters, digits or . _ ~ : @ + -, starting with a letter"
            )
    if identity and (len(identity) > MAX_NAME_LENGTH or not identity.isprintable() or identity != identity.strip()):
        raise InvalidName(
            f"the identity must be 1 to {MAX_NAME_LENGTH} printable characters without spaces around them"
        )
    return ParticipantKey(call, participant, identity or None)


class Admission(Protocol):
    """A participant who was admitted and is judged, until they leave, are removed or are replaced."""

    @property
    def key(self) -> ParticipantKey:
        """Who is judged."""
        ...

    @property
    def ended(self) -> bool:
        """Whether they are judged no more."""
        ...

    async def wait(self) -> None:
        """Return when they are judged no more, with what that changes of their findings given out."""
        ...

    async def end(self) -> None:
        """Let the participant leave; returns when `wait` does. Safe to call twice."""
        ...


class Publication(Admission, Protocol):
    """A participant whose media come in answer to an SDP offer."""

    @property
    def answer(self) -> str:
        """The SDP answer."""
        ...

    @property
    def etag(self) -> str:
        """Identifies the ICE session (RFC 9725, 4.3.1)."""
        ...

    async def add_candidates(self, fragment: str) -> None:
        """Take trickled candidates; raises `SdpError`."""
        ...


@dataclass(frozen=True, slots=True)
class HostsAlive:
    """How many hosts judge now, of how many there are to be."""

    alive: int
    of: int


class Shown(Protocol):
    """Everybody who is judged, as they are described."""

    async def calls(self) -> list[Message]:
        """Describe every call: the entries of `GET /v1/calls`."""
        ...

    async def call(self, name: str) -> Message | None:
        """Describe one call; None when nobody is in it."""
        ...

    async def explain(self, call: str, participant: str) -> Message | None:
        """Say by what a participant is taken to claim an identity; None where there is no such participant."""
        ...


class Calls(Shown, Protocol):
    """Everybody who is judged, by call and participant."""

    @property
    def alive(self) -> HostsAlive:
        """How many processes judge."""
        ...

    @property
    def draining(self) -> bool:
        """Whether nobody is admitted any more because the sidecar is shutting down."""
        ...

    async def publish(self, key: ParticipantKey, offer: str, owner: str, profile: Profile | None = None) -> Publication:
        """Answer an offer of `owner` and judge what it brings; ends an earlier publication of the same participant.

        `profile` is what is said of who they are.

        Raises `Occupied` where that is another's and its media come, `AtCapacity`, `SdpError`, or `TimeoutError`
        where no answer could be made in time.
        """
        ...

    async def remove(self, call: str, participant: str) -> bool:
        """Stop judging a participant, wherever they came in; False where there is none."""
        ...


class Sources(Protocol):
    """The ways into calls that are open, each by its number."""

    def describe(self) -> list[Message]:
        """Describe every source: the entries of `GET /v1/sources`."""
        ...

    async def add(self, settings: SourceSettings) -> Message:
        """Open one more, until the sidecar ends, and describe it; raises `ConfigError` or `AtCapacity`."""
        ...

    async def remove(self, number: int) -> bool:
        """End one and whom it has brought; False where there is none of this number."""
        ...


class Hosts(Protocol):
    """The processes that judge, as an operator sees them."""

    def describe(self) -> Message:
        """Describe every host, and how far they have come who are begun anew: the answer of `GET /v1/hosts`."""
        ...

    def drain(self, host: int) -> bool:
        """Have a host's participants go on elsewhere, and it begun anew then; False where there is none."""
        ...

    def roll(self) -> None:
        """Do so with every host, one after the other."""
        ...


class ActionStatus(StrEnum):
    """What has become of an action."""

    DONE = "done"
    NOT_HERE = "not_here"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of an action: `why` it was not done, or a remark on what was; a line without names and secrets.

    `plugin` is the way in that was asked, None where there is none.
    """

    status: ActionStatus
    why: str | None = None
    plugin: str | None = None


class Actions(Protocol):
    """What can be done in a platform's call, by the way that its participants came in; nothing here decides it."""

    def possible(self, call: str, participant: str) -> frozenset[ActionKind]:
        """Return what can be done to a participant, or in the room that they are in; empty where nothing can."""
        ...

    async def act(self, call: str, participant: str, action: Action) -> Outcome:
        """Do something that somebody has decided; raises nothing for what the platform makes of it.

        It is asked of the platform once, and what is not answered within `ACT_SECONDS` has failed, as far as is known.
        """
        ...


class NotTaken(SidewitnessError):  # noqa: N818 - a refusal, not a failure
    """Somebody's word on an action or a verification comes too late: `why` is `unknown`, `answered` or `expired`."""

    def __init__(self, why: Literal["unknown", "answered", "expired"]) -> None:
        super().__init__(
            {
                "unknown": "there is no such action: open it as it stood in the message",
                "answered": "it was answered already, or is done without: see its finding",
                "expired": "it has expired: it can be done no more",
            }[why]
        )
        self.why = why


class Consequences(Protocol):
    """What follows from findings by the policy: actions that wait for somebody's word, and verifications."""

    def explain(self, call: str, participant: str) -> Message | None:
        """Say what holds for somebody and what it would do; None where nobody is judged under this name."""
        ...

    async def action(self, finding: str, action: str) -> tuple[Case, CaseAction]:
        """Return an action of a finding and the case that it is in; raises `NotTaken`."""
        ...

    async def confirm(self, finding: str, action: str, who: str) -> None:
        """Do what was asked for, because somebody says so; raises `NotTaken`, `CaseworkError` or `JournalError`."""
        ...

    async def refuse(self, finding: str, action: str, who: str) -> None:
        """Have it not done; raises as `confirm` does."""
        ...

    async def answer(self, finding: str, challenge: str, outcome: str, who: str) -> None:
        """Write down what came of a verification on another channel; raises as `confirm` does."""
        ...


class Drills(Protocol):
    """Findings of drills, which go the whole way and mean nothing."""

    async def begin(self, call: str | None, identity: str | None, who: str) -> Message:
        """Begin one and describe it; raises `InvalidName` or `JournalError`."""
        ...

    def describe(self, drill_id: str) -> Message | None:
        """Say how far one has come; None where there is none of this id, or none any more."""
        ...


class Gateways(Protocol):
    """Other gateways of the same calls: who is where among them, and requests that they answer."""

    def answers_by(self, answer: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]) -> None:
        """Have `answer` answer what others ask: a request as `monitor.api.elsewhere` writes it."""
        ...

    def candidates(self, place: tuple[str, str], is_offer: bool) -> list[str | None]:
        """Return which gateways are to answer a request of somebody, the best first; None is this one."""
        ...

    def others(self) -> list[str]:
        """Return the other gateways that are there."""
        ...

    async def act(self, tenant: str, call: str, participant: str, action: Action) -> Outcome:
        """Have done in a platform's call what cannot be done from here; `NOT_HERE` where nobody else can either."""
        ...

    async def ask(self, gateway: str, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Have another gateway answer a request; None where it is gone, or does not."""
        ...

    async def calls(self, own: Sequence[Message]) -> list[Message]:
        """Return what all gateways say of the calls of all tenants, with what this one says."""
        ...
