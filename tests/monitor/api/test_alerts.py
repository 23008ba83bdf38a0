from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from monitor.alerts.journal import Entry
from monitor.alerts.push import CAPACITY_MESSAGES
from monitor.api.alerts import MAX_SILENT, MAX_SILENT_PER_ADDRESS, Doors
from monitor.api.server import AlertsProtocol
from monitor.config import LOOPBACK
from tests.monitor.alerts.build import finding
from tests.monitor.api.server import PATIENCE, TOKEN, Site, receive, serving, subscription


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path, max_subscribers=2) as made:
        yield made


def commit(site: Site, name: str) -> None:
    """Append as another process would, then publish as this one does."""
    change = finding(name)
    site.components.hub.finding(Entry(site.journal.append(change), change))


async def close_code(socket: ClientConnection) -> int:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return socket.close_code


BAD_FIRST_MESSAGES = (
    (subscription(token="wrong-token-entirely"), 4401),
    (json.dumps({"type": "subscribe"}), 4401),
    ("{", 4400),
    (b"{}", 4400),
    (json.dumps({"type": "hello"}), 4400),
    (json.dumps({"type": "subscribe", "token": TOKEN, "after": "1"}), 4400),
    ("x" * 5000, 4400),
    ("x" * 20000, 1009),
)


async def test_bad_first_messages(site: Site) -> None:
    for message, code in BAD_FIRST_MESSAGES:
        async with site.connect() as socket:
            await socket.send(message)
            assert await close_code(socket) == code


async def test_silence_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.app.Doors", partial(Doors, subscribe_seconds=0.05))
    async with serving(tmp_path) as site, site.connect() as socket:
        assert await close_code(socket) == 4401


async def test_subprotocol(site: Site) -> None:
    async with site.connect() as socket:
        assert socket.subprotocol == "sidewitness.alerts.v1"
    async with site.connect(subprotocols=None) as socket:
        await socket.send(subscription())
        assert (await receive(socket))["type"] == "hello"
    async with site.connect(subprotocols=[Subprotocol("sidewitness.alerts.v9"), Subprotocol("chat")]) as socket:
        # One has to be chosen: without one, browsers and Node.js say 1006 and nothing else.
        assert socket.subprotocol == "sidewitness.alerts.v9"
        assert await close_code(socket) == 4400


async def test_a_ping_gets_a_pong(site: Site) -> None:
    async with site.subscribe() as socket:
        assert (await receive(socket))["type"] == "hello"
        await socket.send('{"type": "ping"}')
        assert await receive(socket) == {"type": "pong"}


async def test_live_and_resume(site: Site) -> None:
    async with site.subscribe() as socket:
        assert await receive(socket) == {"type": "hello", "seq": 0}
        commit(site, "a")
        first = await receive(socket)
    assert (first["seq"], first["id"], first["action"], first["identity"]) == (1, "a", "opened", "Ada")
    for name in "bcd":
        commit(site, name)
    async with site.subscribe(after=first["seq"]) as socket:
        assert [(await receive(socket))["seq"] for _ in range(4)] == [4, 2, 3, 4]


async def test_long_replay_under_live_fire_has_no_hole_and_no_double(site: Site) -> None:
    for n in range(150):
        site.journal.append(finding(str(n)))
    async with site.subscribe(after=0) as socket:
        assert (await receive(socket))["type"] == "hello"
        seen = []
        for n in range(150, 170):
            commit(site, str(n))
            seen.append((await receive(socket))["seq"])
        seen += [(await receive(socket))["seq"] for _ in range(150)]
    assert seen == list(range(1, 171))


async def test_second_message_is_an_error(site: Site) -> None:
    async with site.subscribe() as socket:
        await socket.send(subscription())
        assert await close_code(socket) == 4400


async def test_too_many_subscribers(site: Site) -> None:
    async with site.subscribe() as first, site.subscribe() as second, site.connect():
        await receive(first)
        await receive(second)
        async with site.connect() as third:
            await third.send(subscription())
            assert await close_code(third) == 1013
    async with site.subscribe() as again:
        assert (await receive(again))["type"] == "hello"


SILENT = 200


@contextlib.asynccontextmanager
async def silent_sockets(site: Site, count: int, **options: Any) -> AsyncIterator[list[ClientConnection]]:
    """So many sockets that say nothing."""
    made = [await site.connect(close_timeout=0.01, **options) for _ in range(count)]
    try:
        yield made
    finally:
        for socket in made:
            socket.transport.abort()


@pytest.mark.parametrize(("proxies", "waiting"), [(LOOPBACK, MAX_SILENT), ((), MAX_SILENT_PER_ADDRESS)])
async def test_silent_sockets_take_nobodys_place(tmp_path: Path, proxies: Any, waiting: int) -> None:
    """200 tokenless sockets, more than there are places: who has a token is served within a second, and stays."""
    settings: dict[str, Any] = {"max_subscribers": 8, "trusted_proxies": proxies}
    async with serving(tmp_path, **settings) as site, site.subscribe() as early:
        assert (await receive(early))["type"] == "hello"
        async with silent_sockets(site, SILENT) as silent:
            began = time.monotonic()
            async with site.subscribe() as late:
                assert (await receive(late))["type"] == "hello"
                assert time.monotonic() - began < 1.0
                commit(site, "a")
                assert [(await receive(one))["seq"] for one in (early, late)] == [1, 1]
                assert await close_code(silent[0]) == 1013
                value = site.components.metrics.registry.get_sample_value
                turned_away = value("sidewitness_callers_turned_away_total", {"cause": "silent"})
                # Whoever speaks takes a place first, like the others.
                assert turned_away == SILENT + 1 - waiting
                assert len(site.components.hub) == 2


async def test_places_are_counted_by_the_address_that_the_proxy_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.api.alerts.MAX_SILENT_PER_ADDRESS", 2)
    async with serving(tmp_path) as site:
        other = await site.connect(additional_headers={"X-Forwarded-For": "192.0.2.9"})
        async with silent_sockets(site, 3, additional_headers={"X-Forwarded-For": "10.9.9.9, 192.0.2.1"}) as crowd:
            assert await close_code(crowd[0]) == 1013
            await other.send(subscription())
            assert (await receive(other))["type"] == "hello"
            await other.close()


@pytest.mark.parametrize(
    ("origin", "served"),
    [(None, True), ("own", True), ("https://meet.example", True), ("http://evil.example", False), ("null", False)],
)
async def test_alerts_are_for_our_own_pages(tmp_path: Path, origin: str | None, served: bool) -> None:
    async with serving(tmp_path, alert_origins=("https://meet.example",)) as site:
        headers = {} if origin is None else {"Origin": site.base if origin == "own" else origin}
        if served:
            async with site.connect(additional_headers=headers) as socket:
                await socket.send(subscription())
                assert (await receive(socket))["type"] == "hello"
            return
        with pytest.raises(InvalidStatus) as refused:
            await site.connect(additional_headers=headers)
        assert refused.value.response.status_code == 403
        value = site.components.metrics.registry.get_sample_value
        assert value("sidewitness_callers_turned_away_total", {"cause": "origin"}) == 1


@contextlib.asynccontextmanager
async def stalled_client(site: Site) -> AsyncIterator[ClientConnection]:
    """A subscriber with a tiny receive buffer that reads nothing after the greeting."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    host, port = site.base.removeprefix("http://").split(":")
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    async with site.connect(sock=raw, max_queue=1, close_timeout=0.1) as socket:
        await socket.send(subscription(states=True))
        assert (await receive(socket))["type"] == "hello"
        socket.transport.pause_reading()
        yield socket


async def flood(site: Site, brisk: ClientConnection) -> None:
    """Publish big states until somebody is too slow; the brisk subscriber keeps up all the while."""
    hub, value = site.components.hub, site.components.metrics.registry.get_sample_value
    state = {"type": "state", "pad": "x" * 8192}
    for _ in range(2000):
        hub.state(state)
        assert (await receive(brisk))["type"] == "state"
        assert hub.waiting <= 2 * CAPACITY_MESSAGES
        if value("sidewitness_subscribers_too_slow_total"):
            return
    pytest.fail("a client that reads nothing was never found too slow")


async def test_a_stalled_client_is_closed_and_the_other_is_not_held_up(site: Site) -> None:
    async with stalled_client(site) as stalled, site.subscribe(states=True) as brisk:
        assert (await receive(brisk))["type"] == "hello"
        await flood(site, brisk)
        commit(site, "a")
        assert (await receive(brisk))["type"] == "finding"
        stalled.transport.resume_reading()
        assert await close_code(stalled) == 4008
    async with site.subscribe(after=0) as again:
        assert [(await receive(again))["seq"] for _ in range(2)] == [1, 1]


async def test_a_client_that_never_reads_again_does_not_keep_its_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = asyncio.Event()

    def noticed(protocol: AlertsProtocol, error: Exception | None) -> None:
        WebSocketsSansIOProtocol.connection_lost(protocol, error)
        lost.set()

    monkeypatch.setattr(AlertsProtocol, "connection_lost", noticed)
    monkeypatch.setattr("monitor.api.server.ABORT_SECONDS", 0.05)
    monkeypatch.setattr("monitor.api.alerts.CLOSE_SECONDS", 0.05)
    async with stalled_client(site) as stalled, site.subscribe(states=True) as brisk:
        await receive(brisk)
        await flood(site, brisk)
        await asyncio.wait_for(lost.wait(), PATIENCE)
        stalled.transport.resume_reading()
        assert await close_code(stalled) == 1006


async def test_whoever_reads_again_much_later_is_told_that_they_were_too_slow(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.api.alerts.CLOSE_SECONDS", 0.01)
    run, done = AlertsProtocol.run_asgi, asyncio.Event()

    async def served(protocol: AlertsProtocol) -> None:
        await run(protocol)
        done.set()

    monkeypatch.setattr(AlertsProtocol, "run_asgi", served)
    async with stalled_client(site) as stalled, site.subscribe(states=True) as brisk:
        await receive(brisk)
        await flood(site, brisk)
        await asyncio.wait_for(done.wait(), PATIENCE)
        stalled.transport.resume_reading()
        assert await close_code(stalled) == 4008


async def test_whoever_answers_no_ping_is_told_that_they_were_too_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.api.server.PING_SECONDS", 0.05)
    closed = asyncio.Event()

    def noticed(protocol: AlertsProtocol) -> None:
        WebSocketsSansIOProtocol.stop_keepalive(protocol)
        closed.set()

    monkeypatch.setattr(AlertsProtocol, "stop_keepalive", noticed)
    async with serving(tmp_path) as site, stalled_client(site) as stalled:
        await asyncio.wait_for(closed.wait(), PATIENCE)
        stalled.transport.resume_reading()
        assert await close_code(stalled) == 4008


async def test_latency_is_measured(site: Site) -> None:
    loop = asyncio.get_running_loop()
    async with site.subscribe(states=True) as socket:
        await receive(socket)
        site.components.hub.state({"type": "state"}, loop.time())
        await receive(socket)
        commit(site, "a")
        await receive(socket)
    value = site.components.metrics.registry.get_sample_value
    assert value("sidewitness_decision_to_socket_seconds_count") == 1
