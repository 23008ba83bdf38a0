"""What a bearer is granted, or why nothing is. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from monitor.api.access.roles import PERMISSIONS, Permission, Role
from monitor.storage.tenancy.names import DEFAULT_TENANT
from monitor.types import ParticipantKey

ANY = "*"


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from: the address that counts, as far as it is known.

    `is_local`: from this machine, and not through a proxy. `lockable` is false for an address behind which anybody may
    be, such as that of a proxy that does not say for whom it asks.
    """

    address: str
    is_local: bool = False
    lockable: bool = True


@dataclass(frozen=True, slots=True)
class Seat:
    """Whom a publisher may publish: one call, a participant or a pattern with one `*`, and whom they may claim."""

    call: str
    participant: str = ANY
    identity: str | None = None

    def taken_by(self, key: ParticipantKey) -> ParticipantKey | None:
        """Return the key to publish `key` under, None where the seat is another.

        Where nobody is claimed, the identity of the seat is: a token for a protected person's place must not be a way
        to be compared with nobody.
        """
        head, star, tail = self.participant.partition(ANY)
        name = key.participant
        fits = name.startswith(head) and name.endswith(tail) and len(name) >= len(head) + len(tail)
        if key.call != self.call or not (fits if star else name == self.participant):
            return None
        return replace(key, identity=self.identity) if key.identity in (None, self.identity) else None


@dataclass(frozen=True, slots=True)
class Grant:
    """Who the bearer is and what they may do.

    `id` is that of a signed token (`jti`), `expires` in seconds since 1970, None for a token that does not. `seat`
    binds a publisher; None binds nobody. `identity` is the enrolled name of a bearer who sees what is said of them.
    `tenant` is the one whose everything is that they may see or change: nothing of any other exists for them.
    """

    subject: str
    role: Role
    id: str | None = None
    expires: int | None = None
    seat: Seat | None = None
    identity: str | None = None
    tenant: str = DEFAULT_TENANT

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission."""
        return permission in PERMISSIONS[self.role]

    def published_as(self, key: ParticipantKey) -> ParticipantKey | None:
        """Return the key under which `key` is published, None where this grant does not admit it."""
        return key if self.seat is None else self.seat.taken_by(key)


class Refusal(Enum):
    """Why a bearer is granted nothing: a word for the metrics, and what to do."""

    WRONG = ("wrong", "the token is wrong")
    EXPIRED = ("expired", "the token has expired: get another")
    NOT_YET = ("not_yet", "the token is not valid yet: check the clocks")
    REVOKED = ("revoked", "the token was revoked, or is not known here: get another")
    ELSEWHERE = (
        "elsewhere",
        "the start-up token is taken on the sidecar's own machine only: make one with `sidewitness tokens create`",
    )
    LOCKED = ("locked", "too many wrong tokens came from this address: wait")
    ENDED = ("ended", "the session has ended: sign in again")
    NO_ROLE = ("no_role", "this account has no role here: ask whoever runs the sidecar for one")

    @property
    def cause(self) -> str:
        """The word."""
        return self.value[0]

    @property
    def detail(self) -> str:
        """What to do."""
        return self.value[1]
