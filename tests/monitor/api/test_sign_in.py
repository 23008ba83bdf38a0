"""Signing in through a real provider, what a session may do, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed, InvalidStatus

from monitor.api.access.keyring import key_ring
from monitor.api.access.oidc.options import options_of
from monitor.api.access.register import Register
from monitor.api.access.roles import PERMISSIONS, Role
from monitor.api.cookies import ATTEMPT, NAME
from monitor.config import ConfigError, Settings
from monitor.host.sidecar import assemble
from monitor.serve import sign_in_of
from tests.monitor.alerts.build import finding
from tests.monitor.api.people import crew
from tests.monitor.api.server import PATIENCE, Site, receive, serving
from tests.monitor.api.signing_in import Browser, browser, settings, signing_in
from tests.monitor.api.tenants import house
from tests.monitor.api.test_openapi import check
from tests.monitor.rig import scripted
from tests.toys.identity_provider import IdentityProvider, identity_provider, queried

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as made:
        await made.add("ann", groups=["staff", "secops"])
        await made.add("root", groups=["admins"])
        await made.add("jane", groups=["people"])
        await made.add("eve", groups=["staff"])
        await made.add("hal", groups=["hr"])
        await made.add("paul", groups=["people"])
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def ann(tmp_path: Path, provider: IdentityProvider) -> AsyncIterator[Browser]:
    async with signing_in(tmp_path, provider) as made:
        yield made


async def test_an_analyst_signs_in_and_sees_scores(ann: Browser) -> None:
    assert await ann.session() == {"sign_in": True, "session": None}
    begun = await ann.begin()
    asked = queried(begun.headers["location"])
    assert asked["redirect_uri"] == f"{ann.site.base}/v1/login/callback"
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    check("GET", "/v1/login", begun)
    answer = await ann.sign_in("ann")
    check("GET", "/v1/login/callback", answer)
    check("GET", "/v1/session", await ann.http.get("/v1/session"))
    assert (answer.status_code, answer.headers["location"]) == (303, ann.site.base + "/")
    [given] = [line for line in answer.headers.get_list("set-cookie") if line.startswith(NAME + "=")]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(given.split("; "))
    own = (await ann.session())["session"]
    assert (own["subject"], own["role"], own["permissions"]) == (
        "oidc:ann",
        "analyst",
        sorted(PERMISSIONS[Role.ANALYST]),
    )
    ann.site.journal.append(finding("before"))
    page = (await ann.http.get("/v1/findings")).json()["findings"]
    assert page[0]["scores"]
    assert (await ann.http.get("/v1/tokens")).status_code == 403
    async with ann.socket() as socket:
        assert (await receive(socket))["type"] == "hello"
        assert (await receive(socket))["scores"]


async def test_what_begins_a_sign_in_and_what_ends_it_are_one_browsers(
    ann: Browser, provider: IdentityProvider
) -> None:
    begun = await ann.begin()
    [given] = begun.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=lax"} <= set(given.split("; "))
    place = await provider.consent(begun.headers["location"], "root")
    async with browser(ann.site, provider) as other:
        # Somebody is led to another's answer, and would work in their name.
        for back in (await other.http.get(place), await _begun_and(other, str(place))):
            assert back.headers["location"].endswith("/#sign-in=again")
            assert (await other.session())["session"] is None
    assert (await ann.http.get(place)).headers["location"] == ann.site.base + "/"
    # The same answer once more: the attempt is used up.
    assert (await ann.http.get(place)).headers["location"].endswith("#sign-in=again")
    await ann.begin()
    assert (await ann.http.get(place.copy_set_param("state", "other"))).headers["location"].endswith("=again")


async def _begun_and(other: Browser, place: str) -> Any:
    await other.begin()
    return await other.http.get(place)


async def test_an_answer_of_another_provider_or_of_another_attempt_is_not_taken(
    ann: Browser, provider: IdentityProvider
) -> None:
    begun = await ann.begin()
    place = await provider.consent(begun.headers["location"], "ann")
    assert (
        (await ann.http.get(place.copy_set_param("iss", "https://evil.example"))).headers["location"].endswith("again")
    )
    # A code that was asked for by another attempt: neither its verifier nor its nonce is this one's.
    first = await ann.begin()
    stolen = await provider.consent(first.headers["location"], "root")
    second = queried((await ann.begin()).headers["location"])
    injected = stolen.copy_set_param("state", second["state"])
    assert (await ann.http.get(injected)).headers["location"].endswith("#sign-in=again")
    assert (await ann.session())["session"] is None


async def test_who_has_no_role_and_who_is_denied_are_told_so(ann: Browser) -> None:
    for sub, why in (("eve", "no-role"), (None, "denied"), ("paul", "no-role"), ("nobody", "no-role")):
        answer = await ann.sign_in(sub, back="/enroll")
        assert answer.headers["location"] == f"{ann.site.base}/enroll#sign-in={why}"
        assert NAME not in ann.http.cookies
        assert (await ann.http.get("/v1/calls")).status_code == 401


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil", "", "/ä", "/" * 600])
async def test_nobody_is_led_elsewhere_after_signing_in(ann: Browser, back: str) -> None:
    answer = await ann.begin(back)
    assert (answer.status_code, "location" in answer.headers) == (422, False)


async def test_a_cookie_alone_changes_nothing(ann: Browser, provider: IdentityProvider) -> None:
    await ann.sign_in("root")
    order = {"subject": "bob", "role": "viewer"}
    for headers in ({}, {"X-CSRF-Token": "guess"}, {"X-CSRF-Token": ann.csrf, "Origin": "https://evil.example"}):
        refused = await ann.http.post("/v1/tokens", json=order, headers=headers)
        assert refused.status_code in (401, 403), headers
    made = await ann.change("POST", "/v1/tokens", json=order)
    assert (made.status_code, made.json()["issued_by"]) == (201, "oidc:root")
    async with browser(ann.site, provider) as other:
        await other.sign_in("root")
        assert other.csrf != ann.csrf
        assert (
            await other.change("POST", "/v1/tokens", json=order, headers={"X-CSRF-Token": ann.csrf})
        ).status_code == 403
    # A cookie's text is no bearer token.
    bearer = {"Authorization": f"Bearer {ann.cookie}"}
    async with ann.site.client(headers=bearer) as client:
        assert (await client.get("/v1/calls")).status_code == 401


async def test_a_socket_takes_the_cookie_from_our_own_page_only(ann: Browser) -> None:
    await ann.sign_in("ann")
    with pytest.raises(InvalidStatus):
        async with ann.socket(origin="https://evil.example"):
            pass
    for options in ({"origin": None}, {"cookie": "guess"}):
        async with ann.socket(**options) as socket:
            with pytest.raises(ConnectionClosed):
                await receive(socket)
            assert socket.close_code == 4401


async def test_who_signs_out_is_out_everywhere(ann: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.alerts.RECHECK_SECONDS", 0.05)
    await ann.sign_in("ann")
    kept = ann.cookie
    async with ann.socket() as socket:
        assert (await receive(socket))["type"] == "hello"
        out = await ann.change("POST", "/v1/logout")
        check("POST", "/v1/logout", out)
        assert out.status_code == 200, out.text
        with pytest.raises(ConnectionClosed):
            await receive(socket)
        assert socket.close_code == 4401
    target = queried(out.json()["provider"])
    assert out.json()["provider"].startswith(ann.provider.issuer + "/oauth2/end_session?")
    assert (target["post_logout_redirect_uri"], target["id_token_hint"].count(".")) == (ann.site.base + "/", 2)
    assert NAME not in ann.http.cookies
    again = await ann.http.get("/v1/calls", headers={"Cookie": f"{NAME}={kept}"})
    assert (again.status_code, "sign in again" in again.json()["detail"]) == (401, True)


async def test_an_admin_sees_who_is_signed_in_and_ends_it(ann: Browser, provider: IdentityProvider) -> None:
    await ann.sign_in("ann")
    async with browser(ann.site, provider) as root:
        await root.sign_in("root")
        listed = await root.http.get("/v1/sessions")
        check("GET", "/v1/sessions", listed)
        assert {one["subject"]: one["role"] for one in listed.json()["sessions"]} == {
            "oidc:ann": "analyst",
            "oidc:root": "admin",
        }
        assert ann.cookie not in listed.text
        [own] = [one["id"] for one in listed.json()["sessions"] if one["subject"] == "oidc:ann"]
        assert (await root.change("DELETE", f"/v1/sessions/{own}")).status_code == 204
        assert (await root.change("DELETE", f"/v1/sessions/{own}")).status_code == 404
    assert (await ann.http.get("/v1/calls")).status_code == 401


async def test_the_actor_of_an_enrolment_is_who_signed_in(tmp_path: Path, provider: IdentityProvider) -> None:
    made = crew(tmp_path, second_approver=True)
    async with signing_in(tmp_path, provider, people=made.people) as hal:
        await hal.sign_in("hal")
        form = {
            "data": {"consent": '{"by": "Jane Doe", "given": "2026-01-02"}'},
            "files": [("clips", ("1.mp4", "good"))],
        }
        sent = await hal.change("POST", "/v1/identities/Jane%20Doe", **form)
        assert sent.status_code == 202, sent.text
        job = made.people.enrolments.find(sent.json()["id"])
        assert job is not None
        await asyncio.wait_for(job.ended.wait(), PATIENCE)
        version = (await hal.http.get("/v1/identities/Jane%20Doe")).json()["version"]
        assert version["enrolled_by"] == "oidc:hal"
        assert [entry.actor for entry in made.people.vault.audit(0, 100)][-1] == "oidc:hal"
    made.people.vault.close()


async def test_a_protected_person_sees_their_own_status_and_nothing_else(
    tmp_path: Path, provider: IdentityProvider
) -> None:
    async with signing_in(tmp_path, provider) as jane:
        answer = await jane.sign_in("jane")
        assert answer.headers["location"] == jane.site.base + "/me"
        for episode, name in (("hers", "Jane Doe"), ("somebody-elses", "Paul Poe"), ("nobodys", None)):
            found = finding(episode)
            jane.site.journal.append(replace(found, key=replace(found.key, identity=name)))
        async with jane.site.client() as operator:
            for name, claim in (("p1", "?identity=Jane%20Doe"), ("p2", "?identity=Paul%20Poe")):
                path = f"/v1/calls/board/participants/{name}/whip{claim}"
                sdp = {"Content-Type": "application/sdp"}
                assert (await operator.post(path, content=b"v=0", headers=sdp)).status_code == 201
        said = await jane.http.get("/v1/me")
        check("GET", "/v1/me", said)
        status = said.json()
        assert (status["identity"], status["enrolment"]) == ("Jane Doe", None)
        assert [(one["call"], one["participant"]) for one in status["calls"]] == [("board", "p1")]
        assert [one["id"] for one in status["findings"]] == ["hers"]
        assert not {"scores", "evidence", "statistic", "threshold"} & {*status["calls"][0], *status["findings"][0]}
        for path in ("/v1/calls", "/v1/calls/board", "/v1/findings", "/v1/identities/Jane%20Doe"):
            assert (await jane.http.get(path)).status_code in (403, 404), path
        async with jane.socket() as socket:
            with pytest.raises(ConnectionClosed):
                await receive(socket)
            assert socket.close_code == 4403


async def test_by_https_the_cookie_is_secure_and_for_our_host_alone(tmp_path: Path, provider: IdentityProvider) -> None:
    async with signing_in(tmp_path, provider, public_url="https://monitor.example") as proxied:
        begun = await proxied.begin()
        assert queried(begun.headers["location"])["redirect_uri"] == "https://monitor.example/v1/login/callback"
        [line] = begun.headers.get_list("set-cookie")
        name, _, value = line.partition(";")[0].partition("=")
        assert (name, "Secure" in line.split("; ")) == (f"__Host-{ATTEMPT}", True)
        place = await provider.consent(begun.headers["location"], "ann")
        answer = await proxied.http.get(
            f"/v1/login/callback?{place.query.decode()}", headers={"Cookie": f"{name}={value}"}
        )
        [line] = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"__Host-{NAME}=")]
        assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(line.split("; "))
        assert answer.headers["location"] == "https://monitor.example/"
        text = line.partition(";")[0].partition("=")[2]
        with_cookie = {"Cookie": f"__Host-{NAME}={text}"}
        assert (await proxied.http.get("/v1/calls", headers=with_cookie)).status_code == 200
        # By another name it is not heard: whoever can set that one is not us.
        assert (await proxied.http.get("/v1/calls", headers={"Cookie": f"{NAME}={text}"})).status_code == 401


async def test_while_the_provider_is_away_tokens_still_open(tmp_path: Path, provider: IdentityProvider) -> None:
    async with signing_in(tmp_path, provider) as ann:
        begun = await ann.begin()
        place = await provider.consent(begun.headers["location"], "ann")
        try:
            await provider.control(fail=["/jwks", "/oauth2/token"])
            assert (await ann.http.get(place)).headers["location"].endswith("#sign-in=failed")
        finally:
            await provider.control(fail=[])
        async with ann.site.client() as operator:
            assert (await operator.get("/v1/calls")).status_code == 200
        (tmp_path / "other").mkdir()
        async with serving(tmp_path / "other", oidc=settings(provider, issuer="http://127.0.0.1:9")) as lost:
            await _is_unavailable(lost)


async def _is_unavailable(site: Site) -> None:
    async with site.client(headers={}) as client:
        answer = await client.get("/v1/login")
        assert (answer.status_code, "log says why" in answer.json()["detail"]) == (503, True)


async def test_without_the_setting_nobody_signs_in_and_no_cookie_is_heard(tmp_path: Path) -> None:
    async with serving(tmp_path) as site, site.client(headers={"Cookie": f"{NAME}=text"}) as client:
        for path in ("/v1/login", "/v1/login/callback"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/v1/session")).json() == {"sign_in": False, "session": None}
        assert (await client.get("/v1/calls")).status_code == 401
        async with site.client() as operator:
            assert (await operator.get("/v1/sessions")).json() == {"sessions": []}
            assert (await operator.post("/v1/logout")).json() == {"provider": None}
        with contextlib.suppress(ConnectionClosed):
            async with site.connect() as socket:
                await socket.send('{"type": "subscribe"}')
                await receive(socket)
        assert socket.close_code == 4401


async def test_who_signs_in_is_of_the_tenant_that_the_provider_says(tmp_path: Path, provider: IdentityProvider) -> None:
    for sub, org in (("ada", "Acme"), ("gus", "Globex"), ("both", ["Acme", "Globex"]), ("stray", "Other")):
        await provider.add(sub, groups=["admins"], org=org)
    by_claim = settings(provider, tenant_claim="org", tenants={"Acme": "acme", "Globex": "globex", "Us": "default"})
    async with (
        house(tmp_path, is_furnished=False, oidc=by_claim) as made,
        browser(made.site, provider) as ada,
        browser(made.site, provider) as gus,
        browser(made.site, provider) as stray,
    ):
        for somebody, sub in ((ada, "ada"), (gus, "gus")):
            await somebody.sign_in(sub)
            assert (await somebody.http.get("/v1/token")).json()["tenant"] == {"ada": "acme", "gus": "globex"}[sub]
            listed = (await somebody.http.get("/v1/sessions")).json()["sessions"]
            assert [one["subject"] for one in listed] == [f"oidc:{sub}"]
        # What they do is done in their tenant, and told there.
        drill = (await ada.change("POST", "/v1/drills", json={"call": "practice"})).json()
        async with ada.socket() as own, gus.socket() as other:
            # It is in the journal by now, or is told when it is.
            assert (await receive(own))["seq"] > 0 or (await receive(own))["seq"] > 0
            assert (await receive(other))["seq"] == 0
        assert (await gus.http.get(f"/v1/drills/{drill['id']}")).status_code == 404
        theirs = (await gus.http.get("/v1/sessions")).json()["sessions"][0]["id"]
        assert (await ada.change("DELETE", f"/v1/sessions/{theirs}")).status_code == 404
        assert (await ada.change("POST", "/v1/logout")).status_code == 200
        assert (await ada.http.get("/v1/calls")).status_code == 401
        assert (await gus.http.get("/v1/calls")).status_code == 200
        for sub in ("both", "stray"):
            assert "no-role" in (await stray.sign_in(sub)).headers["location"]


async def test_a_tenant_that_is_not_configured_ends_the_start(tmp_path: Path, provider: IdentityProvider) -> None:
    by_claim = settings(provider, tenant_claim="org", tenants={"Acme": "acme"})
    chosen = Settings(state_dir=tmp_path, oidc=by_claim)
    components = assemble(chosen, scripted())
    with pytest.raises(ConfigError, match=r"'oidc.tenants': it names a tenant"):
        sign_in_of(chosen, components, key_ring(chosen), Register(components.journal))
    with pytest.raises(ConfigError, match="tenant_claim and tenants together"):
        options_of(settings(provider, tenant_claim="org"))
    components.journal.close()
