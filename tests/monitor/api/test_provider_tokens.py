"""Bearer tokens of the provider at the API, and its keys that change while the sidecar runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from monitor.api.access.grant import Grant, Refusal
from monitor.api.access.oidc.keys import FIRST_PAUSE_SECONDS
from monitor.api.access.oidc.messages import CodeRefusedError, ProviderError
from monitor.api.access.oidc.options import options_of
from monitor.api.access.oidc.provider import Provider
from monitor.api.access.oidc.verifier import ProviderTokens
from tests.monitor.api.access.build import AWAY, Clock
from tests.monitor.api.server import Site, serving
from tests.monitor.api.signing_in import settings
from tests.toys.identity_provider import IdentityProvider, identity_provider

pytestmark = pytest.mark.asyncio(loop_scope="module")
AUDIENCE = "sidewitness-api"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as made:
        await made.add("ann", groups=["secops"])
        await made.add("eve", groups=["staff"])
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path, provider: IdentityProvider) -> AsyncIterator[Site]:
    async with serving(tmp_path, oidc=settings(provider, audience=AUDIENCE)) as made:
        yield made


async def ask(site: Site, token: str, path: str = "/v1/token") -> httpx.Response:
    async with site.client(headers={"Authorization": f"Bearer {token}"}) as client:
        return await client.get(path)


async def test_a_token_for_our_audience_is_taken_with_the_role_of_its_groups(
    site: Site, provider: IdentityProvider
) -> None:
    token = await provider.id_token("ann", AUDIENCE)
    own = (await ask(site, token)).json()
    assert (own["subject"], own["role"]) == ("oidc:ann", "analyst")
    assert (await ask(site, token, "/v1/calls")).status_code == 200
    refused = await ask(site, token, "/v1/tokens")
    assert (refused.status_code, "role" in refused.json()["detail"]) == (403, True)
    nobody = await ask(site, await provider.id_token("eve", AUDIENCE))
    assert (nobody.status_code, "no role here" in nobody.json()["detail"]) == (403, True)


async def test_a_token_for_somebody_else_is_not(site: Site, provider: IdentityProvider, tmp_path: Path) -> None:
    for client_id in ("another-service", "sidewitness"):
        assert (await ask(site, await provider.id_token("ann", client_id))).status_code == 401
    token = await provider.id_token("ann", AUDIENCE)
    head, body, signature = token.split(".")
    assert (await ask(site, f"{head}.{body}.{signature[:-8]}AAAAAAAA")).status_code == 401
    (tmp_path / "unasked").mkdir()
    async with serving(tmp_path / "unasked", oidc=settings(provider)) as other:
        # Without an audience in the settings none is taken.
        assert (await ask(other, token)).status_code == 401


async def test_new_keys_are_found_and_strangers_do_not_have_them_asked_for(provider: IdentityProvider) -> None:
    clock = Clock(0.0)
    asked = Provider(options_of(settings(provider)), clock)
    tokens = ProviderTokens(asked, AUDIENCE)
    before = (await provider.control()).get("/jwks", 0)
    old = await provider.id_token("ann", AUDIENCE)
    assert isinstance(await tokens.identify(old, AWAY), Grant)
    await provider.control(rotate=True)
    new = await provider.id_token("ann", AUDIENCE)
    for _ in range(20):
        assert await tokens.identify(new, AWAY) is None
    assert (await provider.control())["/jwks"] - before == 1
    clock.now = FIRST_PAUSE_SECONDS
    assert isinstance(await tokens.identify(new, AWAY), Grant)
    assert await tokens.identify(old, AWAY) in (None, Refusal.WRONG)
    assert (await provider.control())["/jwks"] - before == 2
    assert await tokens.identify("no token", AWAY) is None
    await asked.close()


async def test_while_the_keys_cannot_be_had_nobody_is_taken_on_trust(site: Site, provider: IdentityProvider) -> None:
    token = await provider.id_token("ann", AUDIENCE)
    await provider.control(fail=["/jwks"])
    try:
        away = await ask(site, token)
        assert (away.status_code, "identity provider" in away.json()["detail"]) == (503, True)
    finally:
        await provider.control(fail=[])


async def test_what_a_provider_says_of_itself_is_held_to(provider: IdentityProvider) -> None:
    code = Provider(options_of(settings(provider)))
    with pytest.raises(CodeRefusedError):
        await code.redeem("no code", "no verifier", "http://127.0.0.1:1/")
    assert (await code.metadata()).end_session_endpoint == provider.issuer + "/oauth2/end_session"
    await code.close()
    for changed, why in (
        ({"issuer": provider.issuer.replace("127.0.0.1", "localhost")}, None),
        ({"issuer": provider.issuer + "/"}, "calls itself otherwise"),
        ({"issuer": provider.issuer + "/realm"}, "answers 404"),
        ({"allow_private": False}, "allow_private"),
    ):
        asked = Provider(options_of(settings(provider, **changed)))
        if why is None:
            assert (await asked.metadata()).token_endpoint.startswith("http://localhost")
        else:
            with pytest.raises(ProviderError, match=why):
                await asked.metadata()
            with pytest.raises(ProviderError, match="a moment ago"):
                await asked.metadata()
        await asked.close()
