"""A running server beside an identity provider, and a browser's part of signing in, without a browser."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection

from monitor.api.cookies import NAME
from monitor.api.identities import People
from monitor.config import OidcSettings
from tests.monitor.api.server import PATIENCE, Site, serving
from tests.toys.identity_provider import CLIENT, IdentityProvider

ROLES = {"secops": "analyst", "admins": "admin", "people": "subject", "hr": "enroller", "approvers": "approver"}


def settings(provider: IdentityProvider, **changed: Any) -> OidcSettings:
    """The setting `oidc`, for a provider on this machine."""
    options: dict[str, Any] = {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": "s3cret/+ of ours",
        "roles": ROLES,
        "identities": {"jane": "Jane Doe"},
        "allow_private": True,
        **changed,
    }
    return OidcSettings.model_validate(options)


@dataclass
class Browser:
    """A browser: it keeps cookies, tells the page's origin where browsers do, and follows nothing by itself."""

    site: Site
    provider: IdentityProvider
    http: httpx.AsyncClient
    csrf: str = ""

    async def begin(self, back: str = "/") -> httpx.Response:
        return await self.http.get("/v1/login", params={"back": back})

    async def sign_in(self, sub: str | None, back: str = "/") -> httpx.Response:
        """The whole way; returns the sidecar's answer to what the provider said."""
        begun = await self.begin(back)
        assert begun.status_code == 303, begun.text
        answer = await self.http.get(await self.provider.consent(begun.headers["location"], sub))
        self.csrf = ((await self.session())["session"] or {}).get("csrf", "")
        return answer

    async def session(self) -> dict[str, Any]:
        return dict((await self.http.get("/v1/session")).json())

    async def change(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request of the page that changes something."""
        headers = {"Origin": self.site.base, "X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **options)

    @property
    def cookie(self) -> str:
        return self.http.cookies[NAME]

    @contextlib.asynccontextmanager
    async def socket(self, origin: str | None = "own", cookie: str | None = None) -> AsyncIterator[ClientConnection]:
        """The page's socket, which subscribes without a token."""
        headers = {"Cookie": f"{NAME}={cookie or self.cookie}"}
        if origin is not None:
            headers["Origin"] = self.site.base if origin == "own" else origin
        async with self.site.connect(additional_headers=headers) as socket:
            await socket.send(json.dumps({"type": "subscribe", "after": 0}))
            yield socket


@contextlib.asynccontextmanager
async def signing_in(
    folder: Path, provider: IdentityProvider, people: People | None = None, **changed: Any
) -> AsyncIterator[Browser]:
    async with serving(folder, people=people, oidc=settings(provider, **changed)) as site, browser(site, provider) as b:
        yield b


@contextlib.asynccontextmanager
async def browser(site: Site, provider: IdentityProvider) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(base_url=site.base, timeout=PATIENCE) as http:
        yield Browser(site, provider, http)
