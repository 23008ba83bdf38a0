"""What hosts ask of their gateway: who claims to be whom, what they are compared with, and what is known of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog

from monitor.decision.words import HOST_LOST
from monitor.host.cluster.audience import Audience
from monitor.host.cluster.clocks import departed_moved, past_moved
from monitor.host.cluster.far_host import FarHost
from monitor.host.cluster.ledger import Ledger
from monitor.host.judging import SessionTerms
from monitor.host.remembering import Remembered
from monitor.host.step import Clock
from monitor.identity.claimed import Claimed
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.registry import Identities
from monitor.identity.vault.vault import Vault
from monitor.storage.tenancy.names import outside
from monitor.types import ParticipantKey, Profile


class Knows(Protocol):
    """What a gateway knows of the participants of all tenants; the two questions block."""

    def claimed(self, key: ParticipantKey, profile: Profile) -> Claimed:
        """Say whom somebody claims to be."""
        ...

    def terms(self, key: ParticipantKey) -> SessionTerms:
        """Say what a policy holds for somebody."""
        ...

    @property
    def vaults(self) -> Mapping[str, Vault]:
        """The vault of each tenant that has one, by its name."""
        ...


class Answers:
    """What `knows` says, and what is remembered, by the `audience` too."""

    def __init__(self, knows: Knows, memory: Remembered, ledger: Ledger, clock: Clock, audience: Audience) -> None:
        self._knows, self._audience = knows, audience
        self._identities = {tenant: Identities(vault) for tenant, vault in knows.vaults.items()}
        self._memory, self._ledger, self._clock = memory, ledger, clock
        self._known: Mapping[str, Callable[[FarHost, Any], Awaitable[Any]]] = {
            "claim": self._claim,
            "terms": self._terms,
            "reference": self._reference,
            "past": self._past,
            "link": self._link,
        }

    async def answer(self, host: FarHost, op: str, body: Any) -> Any:
        """Answer a host; raises `LookupError` for what nobody can ask."""
        return await self._known[op](host, body)

    async def _claim(self, _host: FarHost, body: Any) -> Any:
        return await asyncio.to_thread(self._knows.claimed, body["key"], body["profile"])

    async def _terms(self, _host: FarHost, key: ParticipantKey) -> Any:
        terms = await asyncio.to_thread(self._knows.terms, key)
        return {"rate": terms.false_alerts_per_hour, "window": terms.window_seconds, "detectors": terms.detectors}

    async def _reference(self, _host: FarHost, body: Any) -> Any:
        return await asyncio.to_thread(self._look_up, body["identity"], body["mark"])

    async def _past(self, host: FarHost, key: ParticipantKey) -> Any:
        await self._audience.expect((key.call, key.participant))
        past = await self._memory.past(key)
        self._ledger.begins(host.number, key, past, self._clock(), HOST_LOST)
        return past_moved(past, -host.behind)

    async def _link(self, host: FarHost, body: Any) -> Any:
        found = await self._memory.link(body["key"], body["face"], body["since"] + host.behind)
        return None if found is None else departed_moved(found, -host.behind)

    def _look_up(self, identity: str, mark: str | None) -> dict[str, Any]:
        """Return the reference that is current, with a mark of which it is; without its data where that is `mark`.

        `identity` is a name as it is where all tenants are together.
        """
        nothing = {"mark": None, "data": None}
        tenant, asked = outside(identity)
        vault, identities = self._knows.vaults.get(tenant), self._identities.get(tenant)
        if vault is None or identities is None:
            return nothing
        try:
            name = identities.resembled(asked) or asked
            current = vault.current(name)
            if current is None:
                return nothing
            found = hashlib.sha256(f"{tenant}\0{name}\0{current!r}".encode()).hexdigest()
            return {"mark": found, "data": None if found == mark else vault.load(name)}
        except VaultError:
            structlog.stdlib.get_logger("identity").warning(
                "the vault cannot be asked: nobody is compared until it can"
            )
            return nothing
