"""What every request meets first, on a real server: its name, its address, and room for those who belong here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from monitor.api.forwarded import client_of
from monitor.api.gate import Place
from monitor.api.refusals import ADVICE, Refusals
from monitor.config import LOOPBACK
from monitor.host.metrics import Metrics, TurnedAway
from tests.monitor.api.server import BEARER, WHIP, Site, receive, serving, subscription

SDP = {"Content-Type": "application/sdp"}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def turned_away(site: Site, cause: str) -> float | None:
    return site.components.metrics.registry.get_sample_value("sidewitness_callers_turned_away_total", {"cause": cause})


async def test_a_name_that_was_let_lead_here_is_refused_everywhere(tmp_path: Path) -> None:
    async with serving(tmp_path, allowed_hosts=("meet.example",)) as site, site.client() as client:
        for path in ("/", "/try", "/static/app.js", "/v1/words", "/v1/calls", "/v1/findings", "/healthz"):
            refused = await client.get(path, headers={"Host": "evil.example"})
            assert (refused.status_code, refused.json()["status"]) == (421, 421), path
            assert "content-security-policy" in refused.headers
            assert (await client.get(path, headers={"Host": "Meet.Example:443"})).status_code == 200, path
        published = await client.post(WHIP, content=b"v=0", headers={**SDP, "Host": "evil.example"})
        assert published.status_code == 421
        handshake = await client.get("/v1/alerts", headers={**HANDSHAKE, "Host": "evil.example"})
        assert handshake.status_code == 403
        assert turned_away(site, "host") == 9


async def test_strangers_of_one_address_have_few_places_and_whoever_has_a_token_has_room(tmp_path: Path) -> None:
    """Behind a trusted proxy, by the address that it saw."""
    one, other = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    async with serving(tmp_path, max_connections_per_address=3) as site:
        async with httpx.AsyncClient(base_url=site.base) as client:
            silent = [await site.connect(additional_headers=one) for _ in range(3)]
            refused = await client.get("/v1/words", headers=one)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
            assert (await client.get("/v1/words", headers=other)).status_code == 200
            await silent[0].send(subscription())
            assert (await receive(silent[0]))["type"] == "hello"
            # Who has subscribed is a stranger no more.
            assert (await client.get("/v1/words", headers=one)).status_code == 200
            assert turned_away(site, "address") == 1
        for socket in silent:
            await socket.close()


async def test_uploads_and_offers_with_a_token_take_no_strangers_place(tmp_path: Path) -> None:
    one = {**BEARER, "X-Forwarded-For": "192.0.2.1"}
    async with serving(tmp_path, max_connections_per_address=1) as site, site.client() as client:
        site.peers.gate.clear()
        waiting = asyncio.create_task(client.post(WHIP, content=b"v=0", headers={**SDP, **one}))
        await site.peers.asked.wait()
        assert (await client.get("/v1/words", headers=one)).status_code == 200
        site.peers.gate.set()
        assert (await waiting).status_code == 201


async def test_no_room_at_all_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.gate.Gate.__init__.__defaults__", ((), 64, 2))
    async with serving(tmp_path) as site, httpx.AsyncClient(base_url=site.base) as client:
        silent = [await site.connect() for _ in range(2)]
        refused = await client.get("/v1/words")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert turned_away(site, "full") == 1
        for socket in silent:
            await socket.close()
        assert (await client.get("/v1/words")).status_code == 200


@pytest.mark.parametrize(
    ("client", "forwarded", "counted"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("2001:db8:1:2:3::4", None, "2001:db8:1:2::/64"),
        ("127.0.0.1", None, None),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 127.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, nonsense", None),
        ("::1", "2001:db8::1", "2001:db8::/64"),
        ("somewhere", None, None),
        (None, None, None),
    ],
)
def test_by_which_address_a_client_is_counted(client: str | None, forwarded: str | None, counted: str | None) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    scope: dict[str, Any] = {"type": "http", "headers": headers, "client": (client, 5000) if client else None}
    assert client_of(scope, LOOPBACK) == counted


def test_a_place_is_given_back_once() -> None:
    given: list[None] = []
    place = Place(lambda: given.append(None))
    place.vouch()
    place.release()
    assert (len(given), place.is_vouched) == (1, True)


def test_a_flood_is_told_once_a_minute() -> None:
    metrics, now = Metrics(), [0.0]
    refusals = Refusals(metrics, lambda: now[0])
    with capture_logs() as said:
        for now[0] in (0.0, 1.0, 59.0, 60.0):
            refusals.count(TurnedAway.HOST)
        refusals.count(TurnedAway.FULL)
    assert [line["times"] for line in said] == [1, 3, 1]
    assert said[0]["event"] == ADVICE[TurnedAway.HOST]
    assert ADVICE.keys() == set(TurnedAway)
    value = metrics.registry.get_sample_value
    assert value("sidewitness_callers_turned_away_total", {"cause": "host"}) == 4
