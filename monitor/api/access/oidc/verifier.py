"""Bearer tokens of the identity provider at the API: taken where they are for our audience."""

from __future__ import annotations

import time
from collections.abc import Callable

from monitor.api.access.grant import Client, Grant, Refusal
from monitor.api.access.oidc.claims import RoleRules, access_token_refusal, person_of
from monitor.api.access.oidc.keys import issuer_of
from monitor.api.access.oidc.options import OidcOptions
from monitor.api.access.oidc.provider import Provider


class ProviderTokens:
    """Knows the bearers of the provider's tokens; see `Verifier`. `clock` in seconds since 1970."""

    # A signature is not guessed.
    guessable = False

    def __init__(self, provider: Provider, audience: str, clock: Callable[[], float] = time.time) -> None:
        self._provider, self._audience, self._clock = provider, audience, clock
        self._rules = rules_of(provider.options)

    async def identify(self, bearer: str, client: Client) -> Grant | Refusal | None:
        """See `Verifier`; raises `ProviderError` where the provider's keys cannot be had."""
        issuer = self._provider.options.issuer
        if issuer_of(bearer) != issuer:
            return None
        claims = await self._provider.verified(bearer)
        if claims is None:
            return None
        refusal = access_token_refusal(claims, issuer, self._audience, self._clock())
        if refusal is not None:
            return refusal
        person = person_of(claims, self._rules)
        if isinstance(person, Refusal):
            return person
        return Grant(person.subject, person.role, None, int(claims["exp"]), None, person.identity, person.tenant)


def rules_of(options: OidcOptions) -> RoleRules:
    """Return the rules in the settings."""
    identities = (options.identity_claim, options.identities)
    return RoleRules(options.role_claim, options.roles, *identities, options.tenant_claim, options.tenants)
