"""Signed tokens over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from monitor.api.access.claims import DEFAULT_MINUTES, MAX_MINUTES
from monitor.api.access.roles import Permission, Role
from monitor.api.schemas.base import Shape, Time


class TokenOrder(Shape):
    """The token that is asked for."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid", strict=True)

    subject: str
    """Who it is for: an account name, in lower case. The audit log names it, and who enrolled cannot approve."""
    role: str = Field(json_schema_extra={"enum": [str(role) for role in Role]})
    """What it is for."""
    minutes: int = Field(default=DEFAULT_MINUTES, ge=1, le=MAX_MINUTES)
    """How long it lasts."""
    call: str | None = None
    """Of a publisher: the call."""
    participant: str | None = None
    """Of a publisher: the participant, or a pattern with one `*`; null for whomever."""
    identity: str | None = None
    """Of a publisher: whom they claim to be, and may claim to be; null for nobody. Of a subject: who they are."""


class Described(Shape):
    """Whose a token is and what for."""

    subject: str
    role: Role
    call: str | None
    """Of a publisher: the call; null for others."""
    participant: str | None
    identity: str | None
    expires: Time | None
    """Null for the start-up token and that of SIDEWITNESS_TOKEN."""


class Bearer(Described):
    """Whose token somebody has."""

    permissions: list[Permission]
    tenant: str
    """Whose everything is that it may see or change."""
    shared: bool
    """Whether this sidecar serves several tenants: pages then say whose they show."""


class Token(Described):
    """A token that was made; never its text."""

    id: str
    """Revoke it by this."""
    issued: Time
    issued_by: str
    state: Literal["active", "expired", "revoked"]
    revoked: Time | None
    revoked_by: str | None


class NewToken(Token):
    """A token that has just been made."""

    token: str
    """Its text, told this once."""


class Tokens(Shape):
    """Every token that is remembered: those that ended more than a week ago are not."""

    tokens: list[Token]
