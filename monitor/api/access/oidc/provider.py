"""The identity provider over HTTP: what it says of itself, its keys, and codes exchanged for who somebody is.

Everything is asked for when it is first needed, so the sidecar starts while the provider is away.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

from monitor.alerts.sinks.base import SinkError
from monitor.alerts.sinks.http import HttpClient, Post
from monitor.api.access.oidc.keys import KeyList, header_of
from monitor.api.access.oidc.messages import Metadata, ProviderError, answer_of, metadata_of, tokens_of
from monitor.api.access.oidc.options import OidcOptions

DISCOVERY = "/.well-known/openid-configuration"
METADATA_SECONDS = 3600.0
RETRY_SECONDS = 5.0
# A name that no key has.
UNNAMED = "\n"
FORM = "application/x-www-form-urlencoded"


class Provider:
    """One provider, as one client of it; on the event loop. `clock` in monotonic seconds."""

    def __init__(self, options: OidcOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options
        self._clock = clock
        self._client: HttpClient | None = None
        self._metadata: tuple[Metadata, float] | None = None
        self._failed_at: float | None = None
        self._keys = KeyList()
        # Of those who wait for the same answer one asks.
        self._asking = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return what the provider says of itself; raises `ProviderError`."""
        async with self._asking:
            return await self._current_metadata()

    async def verified(self, token: str) -> Mapping[str, Any] | None:
        """Return the claims of a token that the provider has signed, None of another; raises `ProviderError`."""
        header = header_of(token)
        if header is None:
            return None
        await self._renew_keys(str(header["kid"]) if "kid" in header else None)
        if not self._keys.is_usable(self._clock()):
            raise ProviderError("the identity provider's keys cannot be had: tokens of it cannot be checked now")
        # RSA takes some tenths of a millisecond: less than the way to a thread and back.
        claims = self._keys.verified(token)
        if claims is None and "kid" not in header:
            # Of a provider that does not name its keys: this one may be new.
            await self._renew_keys(UNNAMED)
            claims = self._keys.verified(token)
        return claims

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> tuple[str, str | None]:
        """Exchange a code; returns the ID token and the access token, if there is one; raises `ProviderError`."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.options.client_id,
        }
        headers = {}
        if self.options.client_secret is not None:
            # Both parts are encoded before they are joined (RFC 6749, 2.3.1).
            secret = self.options.client_secret.get_secret_value()
            pair = f"{quote_plus(self.options.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        metadata = await self.metadata()
        post = Post(metadata.token_endpoint, urlencode(fields).encode(), headers, FORM)
        return tokens_of(await self._ask(post))

    async def more_claims(self, access_token: str) -> Mapping[str, Any]:
        """Return what the provider says of the owner of an access token; nothing where it says nothing more."""
        endpoint = (await self.metadata()).userinfo_endpoint
        if endpoint is None:
            return {}
        return await self._ask(Post(endpoint, b"", {"Authorization": f"Bearer {access_token}"}, method="GET"))

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.close()

    async def _renew_keys(self, key_id: str | None) -> None:
        if not self._keys.wants(key_id, self._clock()):
            # Whoever has a token of a known key waits for nobody.
            return
        async with self._asking:
            if not self._keys.wants(key_id, self._clock()):
                return
            try:
                uri = (await self._current_metadata()).jwks_uri
                self._keys = self._keys.fetched(await self._ask(Post(uri, b"", method="GET")), self._clock())
            except (ProviderError, ValueError):
                self._keys = self._keys.failed(self._clock())

    async def _current_metadata(self) -> Metadata:
        now = self._clock()
        if self._metadata is not None and now - self._metadata[1] < METADATA_SECONDS:
            return self._metadata[0]
        if self._failed_at is not None and now - self._failed_at < RETRY_SECONDS:
            raise ProviderError("the identity provider could not be asked a moment ago: try again soon")
        try:
            found = await self._ask(Post(self.options.issuer.rstrip("/") + DISCOVERY, b"", method="GET"))
            metadata = metadata_of(found, self.options.issuer)
        except ProviderError:
            self._failed_at = now
            if self._metadata is not None:
                return self._metadata[0]
            raise
        self._metadata, self._failed_at = (metadata, now), None
        return metadata

    async def _ask(self, post: Post) -> Mapping[str, Any]:
        if self._client is None:
            self._client = HttpClient(self.options)
        try:
            reply = await self._client.post(post)
        except SinkError as error:
            raise ProviderError(f"the identity provider cannot be asked ({error})") from None
        return answer_of(reply.status, reply.body, redeems=post.method == "POST")
