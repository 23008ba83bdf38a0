"""Who a bearer token belongs to: one protocol, and the two kinds of token that are made here.

Those of an identity provider are a third (`oidc/verifier.py`), in the list that `Authority` asks.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from monitor.api.access.claims import OPERATOR_SUBJECT, STARTUP_SUBJECT, read
from monitor.api.access.grant import Client, Grant, Refusal
from monitor.api.access.keyring import KeyRing
from monitor.api.access.register import Register
from monitor.api.access.roles import Role
from monitor.storage.tenancy.names import DEFAULT_TENANT


class Verifier(Protocol):
    """Knows the bearers of one kind of token."""

    @property
    def guessable(self) -> bool:
        """Whether guessing could find one of these; who guesses too often is not heard by these any more."""
        ...

    async def identify(self, bearer: str, client: Client) -> Grant | Refusal | None:
        """Return what a bearer is granted, why nothing, or None where it is none of these.

        Raises `SidewitnessError` where that cannot be told now.
        """
        ...


class StaticToken:
    """One secret text, of an admin; with `local_only` it is taken from the sidecar's own machine only."""

    guessable = True

    def __init__(self, value: str, local_only: bool) -> None:
        self._value = value.encode()
        self._local_only = local_only
        self._grant = Grant(STARTUP_SUBJECT if local_only else OPERATOR_SUBJECT, Role.ADMIN)

    def __repr__(self) -> str:
        return "StaticToken(...)"

    async def identify(self, bearer: str, client: Client) -> Grant | Refusal | None:
        """See `Verifier`; takes the same time wherever the texts differ."""
        if not hmac.compare_digest(self._value, bearer.encode("utf-8", "surrogatepass")):
            return None
        return Refusal.ELSEWHERE if self._local_only and not client.is_local else self._grant


class SignedTokens:
    """Tokens that this sidecar has signed, as long as they are in the register of the tenant that they name.

    `tenants` are the registers of tenants beside the default one, whose `register` is. `clock` in seconds since 1970.
    """

    # A signature is not guessed.
    guessable = False

    def __init__(
        self,
        keys: KeyRing,
        register: Register,
        clock: Callable[[], float] = time.time,
        tenants: Mapping[str, Register] | None = None,
    ) -> None:
        self._keys, self._clock = keys, clock
        self._registers = {**(tenants or {}), DEFAULT_TENANT: register}

    async def identify(self, bearer: str, client: Client) -> Grant | Refusal | None:
        """See `Verifier`; raises `JournalError` where the register cannot be read."""
        claims = self._keys.verify(bearer)
        if claims is None:
            return None
        grant = read(claims, self._clock())
        if isinstance(grant, Refusal):
            return grant
        register = self._registers.get(grant.tenant)
        if register is None:
            return Refusal.REVOKED
        return grant if await asyncio.to_thread(register.stands, str(grant.id)) else Refusal.REVOKED
