"""A real OpenID provider in a process of its own, made stricter than it comes, which a test can have misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

PATIENCE = 20.0
# Who has to prove that a code is theirs.
CLIENT = "sidewitness"


@dataclass(frozen=True)
class IdentityProvider:
    """The provider, as its users and its operator reach it."""

    issuer: str

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.issuer, timeout=PATIENCE)

    async def add(self, sub: str, **claims: Any) -> None:
        async with self.client() as client:
            (await client.put(f"/users/{sub}", json=claims)).raise_for_status()

    async def control(self, **orders: Any) -> dict[str, Any]:
        """Have it change its keys (`rotate`), answer 503 below paths (`fail`), or say how often what was asked."""
        async with self.client() as client:
            answer = await client.post("/_control", json=orders)
            answer.raise_for_status()
            return dict(answer.json())

    async def consent(self, address: str, sub: str | None) -> httpx.URL:
        """Sign in at the provider's own page, or deny it; returns where the browser is sent back to."""
        form = {"action": "deny"} if sub is None else {"sub": sub}
        async with self.client() as client:
            assert (await client.get(address)).status_code == 200
            answer = await client.post(address, data=form)
        assert answer.status_code == 302, answer.text
        return httpx.URL(answer.headers["location"])

    async def id_token(self, sub: str, client_id: str) -> str:
        """An ID token that the provider gives to a client of its own, by the same way as everybody."""
        back = "http://127.0.0.1:1/elsewhere"
        asked = {"response_type": "code", "client_id": client_id, "redirect_uri": back, "scope": "openid"}
        place = await self.consent(f"/oauth2/authorize?{httpx.QueryParams(asked)}", sub)
        form = {"grant_type": "authorization_code", "code": place.params["code"], "redirect_uri": back}
        async with self.client() as client:
            answer = await client.post("/oauth2/token", data=form, auth=(client_id, "secret"))
        return str(answer.json()["id_token"])


def queried(address: str) -> dict[str, str]:
    """The query of an address, each name once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@contextlib.asynccontextmanager
async def identity_provider() -> AsyncIterator[IdentityProvider]:
    """The provider on a free port of 127.0.0.1."""
    environment = {**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"}
    command = (sys.executable, "-W", "ignore", "-m", "tests.toys.identity_provider.server")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        found = re.fullmatch(r"(http://\S+)\n", line)
        assert found, "the provider did not start"
        yield IdentityProvider(found[1])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
