from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from monitor.config import IceServer
from tests.monitor.alerts.build import findings_of
from tests.monitor.api.documents import OpenApi
from tests.monitor.api.server import BEARER, WHIP, Site, receive, serving
from tests.monitor.rig import OPEN, block, host_of

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    turn = {"url": "turn:turn.example.org?transport=udp", "username": 'u"1', "credential": "pass\\word"}
    servers = [IceServer(url="stun:stun.example.org"), IceServer.model_validate(turn)]
    async with serving(tmp_path, max_participants=2, ice_servers=servers, max_sdp_bytes=1024) as made:
        yield made


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client() as made:
        yield made


async def publish(client: httpx.AsyncClient, path: str = WHIP, **options: Any) -> httpx.Response:
    response = await client.post(path, content=b"v=0 offer", headers=SDP, **options)
    assert response.status_code == 201, response.text
    return response


def check_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"]
    assert body["detail"]
    return body


async def test_publication_as_in_the_rfc(client: httpx.AsyncClient) -> None:
    response = await publish(client, WHIP + "?identity=Ada%20Lovelace")
    assert response.text == "v=0 answer"
    assert response.headers["content-type"] == "application/sdp"
    assert re.fullmatch(re.escape(WHIP) + r"/[\w-]{20,}", response.headers["location"])
    assert response.headers["etag"] == '"ice-1"'
    assert response.headers["accept-patch"] == "application/trickle-ice-sdpfrag"
    assert response.headers.get_list("link") == [
        '<stun:stun.example.org>; rel="ice-server"',
        '<turn:turn.example.org?transport=udp>; rel="ice-server"; username="u\\"1"; credential="pass\\\\word"; '
        'credential-type="password"',
    ]
    exposed = response.headers["access-control-expose-headers"]
    assert {"Location", "ETag", "Link"} <= set(exposed.split(", "))
    calls = (await client.get("/v1/calls/board")).json()
    assert calls["participants"][0]["identity"] == "Ada Lovelace"


async def test_what_others_read_as_their_name(client: httpx.AsyncClient, site: Site) -> None:
    await publish(client, WHIP + "?name=%20Jane%0A%20Doe%20%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB")
    [shown] = (await client.get("/v1/calls/board")).json()["participants"]
    assert (shown["name"], shown["identity"], shown["claim"]) == ("Jane Doe \U0001f469\u200d\U0001f4bb", None, None)
    check_problem(await client.post(f"{WHIP}?name={'x' * 257}", content=b"v=0", headers=SDP), 400)


async def test_by_what_somebody_is_taken_to_claim_an_identity(client: httpx.AsyncClient, site: Site) -> None:
    await publish(client, WHIP + "?identity=Ada&name=Jane")
    path = WHIP.removesuffix("/whip") + "/claim"
    told = (await client.get(path)).json()
    assert (told["identity"], told["claim"], told["name"], told["considered"]) == ("Ada", "stated", "Jane", [])
    described = "/v1/calls/{call}/participants/{participant}/claim"
    assert OpenApi().answer_problems("GET", described, 200, "application/json", told) == []
    check_problem(await client.get(path.replace("p1", "p2")), 404)
    # The names of others who are enrolled are for whoever may see scores.
    assert (await client.get(path, headers=site.bearer("viewer"))).status_code == 403
    assert (await client.get(path, headers=site.bearer("analyst"))).status_code == 200


async def test_trickle(client: httpx.AsyncClient, site: Site) -> None:
    session = (await publish(client)).headers["location"]

    async def patch(body: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.patch(session, content=body.encode(), headers={**FRAGMENT, **named})

    check_problem(await patch("a=candidate"), 428)
    check_problem(await patch("a=candidate", If_Match='"other"'), 412)
    taken = await patch("a=candidate", If_Match='"other", W/"ice-1"')
    assert (taken.status_code, taken.content) == (204, b"")
    assert site.peers.made[0].fragments == ["a=candidate"]
    assert check_problem(await patch("restart", If_Match="*"), 422)["title"] == "ICE restart"
    wrong = await client.patch(session, content=b"x", headers={**SDP, "If-Match": '"ice-1"'})
    check_problem(wrong, 415)
    assert wrong.headers["accept-patch"] == "application/trickle-ice-sdpfrag"


async def test_leaving(client: httpx.AsyncClient) -> None:
    session = (await publish(client)).headers["location"]
    left = await client.delete(session)
    assert (left.status_code, left.content) == (200, b"")
    check_problem(await client.delete(session), 404)
    check_problem(await client.patch(session, content=b"x", headers={**FRAGMENT, "If-Match": "*"}), 404)
    check_problem(await client.get("/v1/calls/board"), 404)


async def test_session_url_belongs_to_its_participant(client: httpx.AsyncClient) -> None:
    session = (await publish(client)).headers["location"]
    check_problem(await client.delete(session.replace("/p1/", "/p2/")), 404)
    assert (await client.delete(session)).status_code == 200


async def test_publishing_again_ends_the_earlier_session(client: httpx.AsyncClient) -> None:
    first = (await publish(client)).headers["location"]
    second = (await publish(client)).headers["location"]
    check_problem(await client.delete(first), 404)
    assert (await client.delete(second)).status_code == 200


async def test_preflight_needs_no_token(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.base) as stranger:
        headers = {"Origin": "https://else.example", "Access-Control-Request-Method": "POST"}
        response = await stranger.options(WHIP, headers=headers)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["accept-post"] == "application/sdp"
        assert response.headers["access-control-allow-origin"] == "*"
        assert "Authorization" in response.headers["access-control-allow-headers"]
        assert {"POST", "PATCH", "DELETE"} <= set(response.headers["access-control-allow-methods"].split(", "))
        session = await stranger.options(WHIP + "/x", headers=headers)
        assert (session.status_code, session.headers["accept-patch"]) == (200, "application/trickle-ice-sdpfrag")
        assert "access-control-allow-origin" not in (await stranger.get("/healthz", headers=headers)).headers


async def test_get_and_head_are_empty_and_the_rest_is_not_allowed(client: httpx.AsyncClient) -> None:
    for method in ("GET", "HEAD"):
        response = await client.request(method, WHIP)
        assert (response.status_code, response.content) == (204, b"")
    refused = await client.put(WHIP, content=b"x")
    check_problem(refused, 405)
    assert "POST" in refused.headers["allow"]


AUTHORIZATIONS = (None, False), ("Basic dTpw", False), ("Bearer", False), ("Bearer wrong", True), ("Bearer \xe9", True)


async def test_token_is_required(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.base) as stranger:
        for authorization, error in AUTHORIZATIONS:
            headers = {**SDP, **({} if authorization is None else {"Authorization": authorization})}
            raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
            for method, path in (("POST", WHIP), ("PATCH", WHIP + "/x"), ("DELETE", WHIP + "/x")):
                response = await stranger.request(method, path, content=b"v=0", headers=raw)
                check_problem(response, 401)
                challenge = response.headers["www-authenticate"]
                assert challenge.startswith('Bearer realm="sidewitness"')
                assert ('error="invalid_token"' in challenge) is error
    assert site.peers.made == []


async def test_other_types_are_refused(client: httpx.AsyncClient) -> None:
    for kind in ("text/plain", "application/sdpx", ""):
        response = await client.post(WHIP, content=b"v=0", headers={"Content-Type": kind})
        check_problem(response, 415)
        assert response.headers["accept-post"] == "application/sdp"


async def test_type_may_have_parameters(client: httpx.AsyncClient) -> None:
    response = await client.post(WHIP, content=b"v=0", headers={"Content-Type": "Application/SDP; charset=utf-8"})
    assert response.status_code == 201


async def test_oversized_offers_are_refused_declared_or_streamed(client: httpx.AsyncClient, site: Site) -> None:
    check_problem(await client.post(WHIP, content=b"x" * 1025, headers=SDP), 413)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 512

    check_problem(await client.post(WHIP, content=chunks(), headers=SDP), 413)
    assert not site.peers.asked.is_set()


async def test_body_that_does_not_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.body.BODY_SECONDS", 0.05)
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {WHIP} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 9\r\n"
    writer.write(f"{head}Authorization: {BEARER['Authorization']}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 408")
    writer.close()
    await writer.wait_closed()


async def test_offer_that_is_refused_or_not_text(client: httpx.AsyncClient) -> None:
    body = check_problem(await client.post(WHIP, content=b"bad", headers=SDP), 422)
    assert (body["title"], body["detail"]) == ("No audio", "offer one audio track")
    check_problem(await client.post(WHIP, content=b"\xff\xfe", headers=SDP), 400)
    assert (await client.get("/v1/calls")).json() == {"calls": []}


async def test_unforeseen_failure_is_a_bare_500_and_frees_the_place(client: httpx.AsyncClient) -> None:
    for _ in range(3):
        response = await client.post(WHIP, content=b"crash secret", headers=SDP)
        check_problem(response, 500)
        assert "secret" not in response.text
        assert response.headers["x-content-type-options"] == "nosniff"
    await publish(client)


async def test_answer_that_does_not_come_frees_the_place(
    client: httpx.AsyncClient, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.host.host.ANSWER_SECONDS", 0.05)
    site.peers.gate.clear()
    for _ in range(3):
        refused = await client.post(WHIP, content=b"v=0", headers=SDP)
        check_problem(refused, 503)
        assert "in time" in refused.json()["detail"]


async def test_capacity_counts_offers_that_are_being_answered(client: httpx.AsyncClient, site: Site) -> None:
    await publish(client)
    site.peers.asked.clear()
    site.peers.gate.clear()
    pending = asyncio.create_task(publish(client, WHIP.replace("p1", "p2")))
    await asyncio.wait_for(site.peers.asked.wait(), 10)
    refused = await client.post(WHIP.replace("p1", "p3"), content=b"v=0", headers=SDP)
    check_problem(refused, 503)
    assert int(refused.headers["retry-after"]) > 0
    site.peers.gate.set()
    await pending


async def test_a_machine_that_is_too_slow_takes_nobody_new(client: httpx.AsyncClient, site: Site) -> None:
    """And whoever publishes again does not get round it."""
    await publish(client)
    host = host_of(site.components)
    host._shedding = replace(host._shedding, shed=frozenset({("board", "p1")}), shed_at=float("inf"))
    refused = await client.post("/v1/calls/board/participants/p2/whip", content=b"v=0 offer", headers=SDP)
    assert "too slow for one more now" in check_problem(refused, 503)["detail"]
    assert refused.headers["retry-after"] == "15"
    await publish(client)
    assert [peer.pauses for peer in site.peers.made] == [[], [True]]


async def test_a_flood_of_offers_finds_no_more_places(site: Site) -> None:
    """Half-open publications hold the places; everybody else is refused at once and nothing is kept of them."""
    site.peers.gate.clear()
    async with site.client(limits=httpx.Limits(max_connections=20)) as client:
        posts = [
            asyncio.create_task(client.post(WHIP.replace("p1", f"p{n}"), content=b"v=0", headers=SDP))
            for n in range(100)
        ]
        async with asyncio.timeout(20):
            while sum(post.done() for post in posts) < 98:
                await asyncio.wait([post for post in posts if not post.done()], return_when=asyncio.FIRST_COMPLETED)
        site.peers.gate.set()
        statuses = sorted(response.status_code for response in await asyncio.gather(*posts))
    assert statuses == [201] * 2 + [503] * 98
    assert len(site.peers.made) == 2


async def test_names_that_are_refused(client: httpx.AsyncClient) -> None:
    for name in ("-p", "a b", "a%2Fb", "x" * 129, "%00", "a%0Ab"):
        for path in (WHIP.replace("p1", name), WHIP.replace("board", name)):
            response = await client.post(path, content=b"v=0", headers=SDP)
            check_problem(response, 404 if "%2F" in name else 400)


async def test_names_that_are_taken(client: httpx.AsyncClient) -> None:
    for name in ("a", "ada@example.org", "Zo%C3%AB", "room:1~2+3.4_5-6", "x" * 128):
        session = (await publish(client, WHIP.replace("p1", name))).headers["location"]
        assert (await client.delete(session)).status_code == 200


async def test_identities(client: httpx.AsyncClient) -> None:
    for identity in ("%20Ada", "A%07", "x" * 129):
        check_problem(await client.post(f"{WHIP}?identity={identity}", content=b"v=0", headers=SDP), 400)
    await publish(client, WHIP + "?identity=")
    assert (await client.get("/v1/calls/board")).json()["participants"][0]["identity"] is None


async def test_cors_for_named_origins_only(tmp_path: Path) -> None:
    async with serving(tmp_path, cors_origins=("https://ours.example",)) as site, site.client() as client:
        ours = await client.options(WHIP, headers={"Origin": "https://ours.example"})
        other = await client.options(WHIP, headers={"Origin": "https://else.example"})
    assert ours.headers["access-control-allow-origin"] == "https://ours.example"
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"


async def test_stopping_refuses_ends_and_tells(client: httpx.AsyncClient, site: Site) -> None:
    session = (await publish(client)).headers["location"]
    site.peers.made[0].put(block(OPEN))
    async with site.subscribe(after=0) as socket:
        actions = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                actions.append((await receive(socket)).get("action"))
                if actions[-1] == "opened":
                    site.server.should_exit = True
        assert socket.close_code == 1012
    assert actions[-2:] == ["opened", "closed"]
    await asyncio.wait_for(site.serving, 10)
    assert session
    assert [found.action for found in findings_of(site.journal)] == ["opened", "closed"]


async def test_a_token_has_no_more_places_than_the_settings_give(tmp_path: Path) -> None:
    async with serving(tmp_path, max_participants_per_token=1) as site, site.client() as client:
        session = (await publish(client)).headers["location"]
        refused = await client.post(WHIP.replace("p1", "p2"), content=b"v=0 offer", headers=SDP)
        assert "this token has as many participants" in check_problem(refused, 503)["detail"]
        await client.delete(session)
        await publish(client, WHIP.replace("p1", "p2"))
