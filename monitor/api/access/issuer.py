"""Making, listing and revoking signed tokens; the same for the command line and for the API."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from engines.errors import SidewitnessError
from monitor.api.access.claims import TokenOrder, claims_of, granted
from monitor.api.access.grant import Grant
from monitor.api.access.keyring import KeyRing
from monitor.api.access.register import IssuedToken, Register
from monitor.storage.tenancy.names import DEFAULT_TENANT
from monitor.types import rfc3339

ID_BYTES = 12


class NoSuchToken(SidewitnessError):  # noqa: N818 - it is an answer as much as an error
    """There is no token of this id."""

    def __init__(self) -> None:
        super().__init__("there is no such token: see `sidewitness tokens list`")


class Issuer:
    """Synchronous; raises `JournalError`, or `ConfigError` for the key file. `clock` in seconds since 1970.

    The tokens are those of `tenant`, whose register it is.
    """

    def __init__(
        self,
        keys: KeyRing,
        register: Register,
        clock: Callable[[], float] = time.time,
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        self._keys, self._register, self._clock, self._tenant = keys, register, clock, tenant

    def issue(self, order: TokenOrder, by: str) -> tuple[str, IssuedToken]:
        """Make a token; returns its text, which is kept nowhere, and its line in the register."""
        now = int(self._clock())
        grant = granted(order, secrets.token_hex(ID_BYTES), now, self._tenant)
        text = self._keys.sign(claims_of(grant, now))
        self._register.add(grant, by, now)
        return text, IssuedToken(grant, now, by)

    def revoke(self, token_id: str, by: str) -> bool:
        """Put a token out of force; False where there is none."""
        return self._register.revoke(token_id, by, int(self._clock()))

    def list(self) -> Sequence[dict[str, Any]]:
        """Describe every token that is remembered, the oldest first."""
        return [self.describe(issued) for issued in self._register.list()]

    def describe(self, issued: IssuedToken) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "id": issued.grant.id,
            **described(issued.grant),
            "issued": seconds_as_time(issued.issued),
            "issued_by": issued.issued_by,
            "state": issued.state(self._clock()),
            "revoked": seconds_as_time(issued.revoked),
            "revoked_by": issued.revoked_by,
        }


def described(grant: Grant) -> dict[str, Any]:
    """Return as JSON values who somebody is and what they may do."""
    seat = grant.seat
    return {
        "subject": grant.subject,
        "role": str(grant.role),
        "call": seat and seat.call,
        "participant": seat and seat.participant,
        "identity": seat.identity if seat else grant.identity,
        "expires": seconds_as_time(grant.expires),
    }


def seconds_as_time(seconds: int | None) -> str | None:
    """Return seconds since 1970 as RFC 3339 has them."""
    return None if seconds is None else rfc3339(datetime.fromtimestamp(seconds, UTC))
