"""Who may call what, asked of a running server: every route and the WebSocket, by every role and by strangers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosed

from monitor.api.access.roles import Role
from monitor.api.app import application
from monitor.api.refusals import Refusals
from monitor.api.role_table import WEBSOCKET, Endpoint, endpoints, table
from monitor.config import Settings
from tests.monitor.alerts.build import finding
from tests.monitor.api.documents import DOCS, RENEW
from tests.monitor.api.server import PATIENCE, TOKEN, WHIP, Site, receive, serving
from tests.monitor.api.test_identities import JANE, Desk, desk_with
from tests.monitor.rig import OPEN, block

SDP = {"Content-Type": "application/sdp"}
VALUES = {
    "call": "board", "participant": "p1", "session": "none", "name": "nobody", "job_id": "none", "token_id": "none",
    "path": "app.js", "source": "none", "action": "none", "challenge": "none", "drill": "none",
    "finding": "none", "session_id": "none", "host": "none",
}  # fmt: skip
SECRETS = ("scores", "evidence", "statistic", "threshold")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async for made in desk_with(tmp_path, second_approver=True):
        yield made


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as made:
        yield made


def running(desk: Desk) -> FastAPI:
    return application(Settings(), desk.site.surface.parts, Refusals(desk.site.components.metrics))


def seated(site: Site, role: Role) -> dict[str, str]:
    own = {"identity": "Jane Doe"} if role is Role.SUBJECT else {}
    return site.bearer(role, f"a-{role}", call="board" if role is Role.PUBLISHER else None, **own)


async def close_code(site: Site, token: str) -> int | None:
    async with site.subscribe(token=token) as socket:
        with contextlib.suppress(ConnectionClosed):
            assert (await receive(socket))["type"] == "hello"
        return socket.close_code


async def asked(site: Site, client: httpx.AsyncClient, endpoint: Endpoint, headers: dict[str, str]) -> str:
    """What a running server does with somebody: `yes`, `no` for want of a role or a token."""
    if endpoint.method == WEBSOCKET:
        code = await close_code(site, headers.get("Authorization", "Bearer ").removeprefix("Bearer "))
        return {None: "yes", 4403: "no", 4401: "no"}[code]
    answer = await client.request(endpoint.method, endpoint.path.format(**VALUES), headers=headers)
    assert answer.status_code != 500, (endpoint, answer.text)
    return "no" if answer.status_code == (403 if headers else 401) else "yes"


async def test_the_table_is_what_a_running_server_does(desk: Desk) -> None:
    served = endpoints(running(desk))
    assert len(served) > 30
    assert {endpoint.method for endpoint in served} >= {"GET", "POST", "DELETE", "PATCH", "OPTIONS", WEBSOCKET}
    bearers: dict[Role | None, dict[str, str]] = {role: seated(desk.site, role) for role in Role}
    async with httpx.AsyncClient(base_url=desk.site.base, timeout=PATIENCE) as client:
        for role, headers in {**bearers, None: {}}.items():
            for endpoint in served:
                answer = "yes" if endpoint.answers(role) == "without scores" else endpoint.answers(role)
                assert await asked(desk.site, client, endpoint, headers) == answer, (endpoint, role)


async def test_the_published_table_is_the_one_of_the_code(desk: Desk) -> None:
    made = table(running(desk))
    assert made in (DOCS / "tokens.md").read_text(), RENEW
    # What needs no token is a short list, and nothing gets into it by being forgotten.
    open_paths = {e.path for e in endpoints(running(desk)) if not e.needs_token}
    whip = WHIP.replace("board", "{call}").replace("p1", "{participant}")
    assert {path for path in open_paths if path.startswith("/v1")} == {
        *("/v1/words", "/v1/login", "/v1/login/callback", "/v1/session", whip, whip + "/{session}")
    }


async def test_a_viewer_is_told_verdicts_and_no_scores_wherever_they_ask(site: Site) -> None:
    site.journal.append(finding("before"))
    async with site.client() as admin:
        assert (await admin.post(WHIP, content=b"v=0", headers=SDP)).status_code == 201
    told: dict[str, dict[str, list[dict[str, Any]]]] = {}
    tokens = {role: site.token(role) for role in ("viewer", "analyst")}
    async with (
        site.subscribe(after=0, states=True, token=tokens["viewer"]) as viewing,
        site.subscribe(after=0, states=True, token=tokens["analyst"]) as analysing,
        asyncio.timeout(PATIENCE),
    ):
        for socket in (viewing, analysing):
            assert (await receive(socket))["type"] == "hello"
            assert (await receive(socket))["id"] == "before"
        site.peers.made[0].put(block(OPEN))
        for role, socket in (("viewer", viewing), ("analyst", analysing)):
            seen: dict[str, dict[str, Any]] = {}
            while not {"finding", "state"} <= seen.keys():
                message = await receive(socket)
                if message["type"] == "finding" or message["verdict"] == "alert":
                    seen[message["type"]] = message
            told[role] = {"socket": list(seen.values())}
    async with site.subscribe(after=0, token=tokens["viewer"]) as socket:
        assert (await receive(socket))["type"] == "hello"
        told["viewer"]["replay"] = [await receive(socket), await receive(socket)]
    for role, token in tokens.items():
        async with site.client(headers={"Authorization": f"Bearer {token}"}) as client:
            told[role]["call"] = (await client.get("/v1/calls/board")).json()["participants"]
            told[role]["calls"] = (await client.get("/v1/calls")).json()["calls"][0]["participants"]
            told[role]["page"] = (await client.get("/v1/findings")).json()["findings"]
    for place, messages in told["viewer"].items():
        assert all(message["verdict"] for message in messages), place
        assert not any(message.get(name) for message in messages for name in SECRETS), place
    for place, messages in told["analyst"].items():
        assert any(message["scores"] for message in messages), place


async def test_an_admin_makes_lists_and_revokes_tokens(site: Site) -> None:
    order = {"subject": "alice", "role": "publisher", "minutes": 5, "call": "board", "participant": "alice*"}
    async with site.client() as admin, site.client(headers={}) as other:
        made = await admin.post("/v1/tokens", json={**order, "identity": "Alice A"})
        assert made.status_code == 201, made.text
        body = made.json()
        bearer = {"Authorization": f"Bearer {body['token']}"}
        own = (await other.get("/v1/token", headers=bearer)).json()
        assert (own["subject"], own["role"], own["call"]) == ("alice", "publisher", "board")
        assert own["permissions"] == ["publish"]
        listed = await admin.get("/v1/tokens")
        assert [(one["id"], one["issued_by"], one["state"]) for one in listed.json()["tokens"]] == [
            (body["id"], "operator", "active")
        ]
        assert body["token"] not in listed.text
        assert (await admin.delete(f"/v1/tokens/{body['id']}")).status_code == 204
        refused = await other.get("/v1/token", headers=bearer)
        assert (refused.status_code, "revoked" in refused.json()["detail"]) == (401, True)
        assert (await admin.get("/v1/tokens")).json()["tokens"][0]["revoked_by"] == "operator"
        assert (await admin.delete("/v1/tokens/none")).status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"role": "root"}, {"subject": "Alice"}, {"minutes": 0}, {"minutes": "5"}, {"minutes": 10**9}, {"call": "board"},
        {"more": 1}, {"subject": None}, {"subject": "operator"},
    ],
)  # fmt: skip
async def test_a_token_that_cannot_be_is_422(site: Site, changed: dict[str, Any]) -> None:
    async with site.client() as admin:
        answer = await admin.post("/v1/tokens", json={"subject": "alice", "role": "viewer", **changed})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "\n" not in answer.json()["detail"]


async def test_an_order_is_not_read_before_the_token_and_is_small(site: Site) -> None:
    big = b" " * 100_000
    async with site.client() as admin, site.client(headers={}) as stranger:
        json_type = {"Content-Type": "application/json"}
        assert (await stranger.post("/v1/tokens", content=big, headers=json_type)).status_code == 401
        assert (await admin.post("/v1/tokens", content=big, headers=json_type)).status_code == 413
        assert (await admin.post("/v1/tokens", content=b"{", headers=json_type)).status_code == 422
        assert (
            await admin.post("/v1/tokens", content=b"{}", headers={"Content-Type": "text/plain"})
        ).status_code == 415


async def test_a_subscription_ends_when_its_token_is_revoked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.alerts.RECHECK_SECONDS", 0.05)
    token = site.token("viewer")
    async with site.subscribe(token=token) as socket, site.subscribe() as other:
        assert (await receive(socket))["type"] == "hello"
        assert (await receive(other))["type"] == "hello"
        [line] = site.surface.parts.issuer.list()
        # As another process does it: nobody tells this one.
        await asyncio.to_thread(site.surface.parts.issuer.revoke, line["id"], "boss")
        with pytest.raises(ConnectionClosed):
            await receive(socket)
        assert socket.close_code == 4401
        await other.send('{"type": "ping"}')
        assert await receive(other) == {"type": "pong"}
    assert await close_code(site, token) == 4401


async def test_a_publisher_is_admitted_to_their_seat_only(site: Site) -> None:
    alice = site.bearer("publisher", "alice", call="board", participant="alice", identity="Alice A")
    async with site.client(headers={**alice, **SDP}) as client:
        for path in (
            WHIP, "/v1/calls/other/participants/alice/whip", "/v1/calls/board/participants/alice/whip?identity=Bob",
        ):  # fmt: skip
            answer = await client.post(path, content=b"v=0")
            assert (answer.status_code, "another call" in answer.json()["detail"]) == (403, True)
        assert not site.peers.asked.is_set()
        # Without a claim of their own they have the one of their seat: they cannot be compared with nobody.
        assert (await client.post("/v1/calls/board/participants/alice/whip", content=b"v=0")).status_code == 201
    async with site.client() as admin:
        [shown] = (await admin.get("/v1/calls/board")).json()["participants"]
    assert (shown["participant"], shown["identity"]) == ("alice", "Alice A")


async def test_a_session_is_its_publishers_and_an_admins(site: Site) -> None:
    alice, eve = (site.bearer("publisher", subject, call="board") for subject in ("alice", "eve"))
    async with site.client(headers=SDP) as client:
        begun = await client.post(WHIP, content=b"v=0", headers=alice)
        session = begun.headers["location"]
        fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": begun.headers["etag"]}
        assert (await client.patch(session, content=b"a=x", headers={**eve, **fragment})).status_code == 404
        assert (await client.delete(session, headers=eve)).status_code == 404
        assert (await client.patch(session, content=b"a=x", headers={**alice, **fragment})).status_code == 204
        assert (await client.delete(session, headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_200_offers_under_one_name_put_nobody_out(site: Site) -> None:
    alice, eve = (site.bearer("publisher", subject, call="board") for subject in ("alice", "eve"))
    async with site.client(headers=SDP) as client:
        assert (await client.post(WHIP, content=b"v=0", headers=alice)).status_code == 201
        answers = []
        for _ in range(20):
            some = await asyncio.gather(*(client.post(WHIP, content=b"v=0", headers=eve) for _ in range(10)))
            answers += [answer.status_code for answer in some]
        assert answers == [409] * 200
        assert len(site.peers.made) == 1
        assert [call["call"] for call in await site.components.host.calls()] == ["board"]
        # Whoever has the seat comes back at once, as a client that lost its network does.
        assert (await client.post(WHIP, content=b"v=0", headers=alice)).status_code == 201
        assert len(site.peers.made) == 2


async def test_while_somebody_is_being_admitted_nobody_else_takes_their_name(site: Site) -> None:
    alice, eve = (site.bearer("publisher", subject, call="board") for subject in ("alice", "eve"))
    site.peers.gate.clear()
    async with site.client(headers=SDP) as client:
        first = asyncio.create_task(client.post(WHIP, content=b"v=0", headers=alice))
        await asyncio.wait_for(site.peers.asked.wait(), PATIENCE)
        assert (await client.post(WHIP, content=b"v=0", headers=eve)).status_code == 409
        site.peers.gate.set()
        assert (await first).status_code == 201


async def test_the_actor_is_the_tokens_subject_whatever_a_request_says(desk: Desk) -> None:
    await desk.enrol(actor="ann")
    claimed = {"Sidewitness-Actor": "somebody-else"}
    for who in (desk.site.bearer("approver", "ann"), desk.site.bearer("admin", "ann")):
        answer = await desk.client.post(JANE + "/approve", headers={**who, **claimed})
        assert (answer.status_code, "somebody else" in answer.json()["detail"]) == (409, True)
    approved = await desk.client.post(JANE + "/approve", headers={**desk.site.bearer("approver", "bob"), **claimed})
    assert approved.status_code == 200
    version = (await desk.client.get(JANE)).json()["version"]
    assert (version["enrolled_by"], version["approved_by"]) == ("ann", "bob")
    actors = [entry.actor for entry in desk.crew.people.vault.audit(0, 100)]
    assert (actors, "somebody-else" in actors) == ([*actors[:-2], "ann", "bob"], False)


async def test_the_start_up_token_is_for_this_machine_only(tmp_path: Path) -> None:
    async with serving(tmp_path, token=None) as site, site.client() as client:
        assert (await client.get("/v1/token")).json()["subject"] == "startup"
        for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
            refused = await client.get("/v1/token", headers={header: "127.0.0.1"})
            assert (refused.status_code, "own machine only" in refused.json()["detail"]) == (401, True)
        assert await close_code(site, TOKEN) is None
        async with site.connect(additional_headers={"X-Forwarded-For": "203.0.113.9"}) as socket:
            await socket.send(f'{{"type": "subscribe", "token": "{TOKEN}"}}')
            with pytest.raises(ConnectionClosed):
                await receive(socket)
            assert socket.close_code == 4401


async def test_who_guesses_is_locked_out_and_nobody_behind_the_same_proxy_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_seconds: float) -> None:
        return

    monkeypatch.setattr(site.surface.parts.authority, "_pause", at_once)
    guesser = {"X-Forwarded-For": "203.0.113.9"}
    signed = {**site.bearer("viewer"), **guesser}
    async with site.client() as client:
        for _ in range(5):
            wrong = await client.get("/v1/calls", headers={**guesser, "Authorization": "Bearer guess"})
            assert wrong.status_code == 401
        locked = await client.get("/v1/calls", headers=guesser)
        assert locked.status_code == 429
        assert 0 < int(locked.headers["retry-after"]) <= 30
        assert (await client.get("/v1/calls", headers=signed)).status_code == 200
        assert (await client.get("/v1/calls", headers={"X-Forwarded-For": "203.0.113.10"})).status_code == 200
        # Neither this machine itself is locked, nor a proxy that does not say for whom it asks.
        for _ in range(10):
            assert (await client.get("/v1/calls", headers={"Authorization": "Bearer guess"})).status_code == 401
        assert (await client.get("/v1/calls")).status_code == 200
        async with site.connect(additional_headers=guesser) as socket:
            await socket.send(f'{{"type": "subscribe", "token": "{TOKEN}"}}')
            with pytest.raises(ConnectionClosed):
                await receive(socket)
            assert socket.close_code == 4429


async def test_while_tokens_cannot_be_checked_nobody_is_taken_on_trust(site: Site, tmp_path: Path) -> None:
    bearer = site.bearer("viewer")
    async with site.client() as client:
        assert (await client.get("/v1/calls", headers=bearer)).status_code == 200
        (tmp_path / "tokens.key").chmod(0o644)
        (tmp_path / "tokens.key").write_text("no keys")
        assert (await client.get("/v1/calls", headers=bearer)).status_code == 503
        assert await close_code(site, bearer["Authorization"].removeprefix("Bearer ")) == 1013
        assert (await client.get("/v1/calls")).status_code == 200
