"""What is written into a signed token (RFC 7519), and what is made of it when it comes back. Pure.

The signature is checked before any of this is read. Everything is mandatory that we write, and nothing is understood
in two ways: a claim of another type is no claim.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from engines.errors import SidewitnessError
from monitor.api.access.grant import ANY, Grant, Refusal, Seat
from monitor.api.access.roles import Role
from monitor.host.calls import InvalidName, participant_key
from monitor.storage.tenancy.names import DEFAULT_TENANT

AUDIENCE = "sidewitness"
# Between the clock of who made the token and ours; an expired token has no such grace.
SKEW_SECONDS = 5
DEFAULT_MINUTES = 60
MAX_MINUTES = 527_040
# Lower case only: two subjects are never the same to a reader and different to the rule of two people.
SUBJECT = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
# Of the tokens that are not signed.
STARTUP_SUBJECT, OPERATOR_SUBJECT = "startup", "operator"
RESERVED = frozenset({STARTUP_SUBJECT, OPERATOR_SUBJECT})


class TokenError(SidewitnessError):
    """A token cannot be made as asked; the message is one line that says what to do."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """A token that is asked for; made by `ordered`."""

    subject: str
    role: Role
    minutes: int
    seat: Seat | None
    identity: str | None = None


def ordered(
    subject: str,
    role: str,
    minutes: int = DEFAULT_MINUTES,
    call: str | None = None,
    participant: str | None = None,
    identity: str | None = None,
) -> TokenOrder:
    """Return a checked order; raises `TokenError`. `participant` may hold one `*`, and is `*` where it is left out.

    `identity` is whom a publisher claims to be, or which enrolled person a subject is.
    """
    if not SUBJECT.fullmatch(subject) or subject in RESERVED:
        raise TokenError(
            "the subject must be 1 to 64 of a-z, 0-9 . _ @ - (an account name), and not startup or operator"
        )
    if role not in list(Role):
        raise TokenError(f"there is no such role: choose one of {', '.join(Role)}")
    if not 1 <= minutes <= MAX_MINUTES:
        raise TokenError(f"a token lasts 1 to {MAX_MINUTES} minutes")
    if role != Role.PUBLISHER and (call or participant):
        raise TokenError("call and participant are for publishers only: leave them out")
    if role == Role.SUBJECT:
        return TokenOrder(subject, Role.SUBJECT, minutes, None, _own_identity(identity))
    if role != Role.PUBLISHER:
        if identity:
            raise TokenError("identity is for publishers and subjects only: leave it out")
        return TokenOrder(subject, Role(role), minutes, None)
    if not call:
        raise TokenError("a publisher needs the call that it may publish into")
    pattern = participant or ANY
    try:
        # A name with the star replaced by a letter has to be a name.
        participant_key(call, pattern.replace(ANY, "x", 1), identity)
    except InvalidName as error:
        raise TokenError(f"{error}; the participant may hold one *") from None
    return TokenOrder(subject, Role.PUBLISHER, minutes, Seat(call, pattern, identity or None))


def granted(order: TokenOrder, token_id: str, now: int, tenant: str = DEFAULT_TENANT) -> Grant:
    """Return what the token of an order grants that is made `now` (seconds since 1970) for a tenant."""
    return Grant(order.subject, order.role, token_id, now + order.minutes * 60, order.seat, order.identity, tenant)


def claims_of(grant: Grant, now: int) -> dict[str, Any]:
    """Return the claims of a token that is made `now`."""
    claims: dict[str, Any] = {
        "aud": AUDIENCE,
        "sub": grant.subject,
        "jti": grant.id,
        "iat": now,
        "nbf": now,
        "exp": grant.expires,
        "role": str(grant.role),
    }
    if grant.seat is not None:
        claims |= {
            "call": grant.seat.call,
            "participant": grant.seat.participant,
            "identity": grant.seat.identity,
        }
    if grant.identity is not None:
        claims["identity"] = grant.identity
    if grant.tenant != DEFAULT_TENANT:
        claims["tenant"] = grant.tenant
    return claims


def read(claims: Mapping[str, Any], now: float) -> Grant | Refusal:
    """Return what the claims of a verified token grant at `now`, or why they grant nothing."""
    expires, not_before, role = claims.get("exp"), claims.get("nbf"), claims.get("role")
    if claims.get("aud") != AUDIENCE or not (_is_time(expires) and _is_time(not_before)):
        return Refusal.WRONG
    subject, token_id, tenant = claims.get("sub"), claims.get("jti"), claims.get("tenant", DEFAULT_TENANT)
    if not (_is_text(subject) and _is_text(token_id) and _is_text(tenant) and _is_text(role) and role in list(Role)):
        return Refusal.WRONG
    if now >= expires:
        return Refusal.EXPIRED
    if now < not_before - SKEW_SECONDS:
        return Refusal.NOT_YET
    seat = None
    if role == Role.PUBLISHER:
        # A publisher without a seat would be one for every call.
        call, participant, identity = (claims.get(name) for name in ("call", "participant", "identity"))
        if not (_is_text(call) and _is_text(participant) and (identity is None or _is_text(identity))):
            return Refusal.WRONG
        seat = Seat(call, participant, identity)
    own = None
    if role == Role.SUBJECT:
        own = claims.get("identity")
        if not _is_text(own):
            return Refusal.WRONG
    return Grant(subject, Role(role), token_id, expires, seat, own, tenant)


def _own_identity(identity: str | None) -> str:
    if not identity:
        raise TokenError("a subject needs the identity that is theirs: the name they are enrolled under")
    try:
        participant_key("x", "x", identity)
    except InvalidName as error:
        raise TokenError(str(error)) from None
    return identity


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""
