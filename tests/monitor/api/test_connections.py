"""Connections that send nothing, half a request, too much, or that read no answer: none of them holds anybody up."""

from __future__ import annotations

import asyncio
import contextlib
import logging.config
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn.config

from monitor.api import connection
from monitor.api.connection import MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES, MAX_WAITING, BoundedHttp
from monitor.config import LOOPBACK
from tests.monitor.api.server import PATIENCE, WHIP, Site, receive, serving, subscription

SDP = {"Content-Type": "application/sdp"}
FLOOD = 1100
HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def dial(base: str, **options: Any) -> Streams:
    host, port = base.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port), **options)


@contextlib.asynccontextmanager
async def flood(base: str, count: int) -> AsyncIterator[list[Streams]]:
    """So many connections, every second one with half a request."""
    made = []
    for number in range(count):
        made.append(await dial(base))
        if number % 2:
            made[-1][1].write(HALF)
    try:
        yield made
    finally:
        for _, writer in made:
            writer.transport.abort()


def turned_away(site: Site, cause: str) -> float:
    value = site.components.metrics.registry.get_sample_value
    return value("sidewitness_callers_turned_away_total", {"cause": cause}) or 0.0


@pytest.mark.parametrize(("proxies", "waiting"), [(LOOPBACK, MAX_WAITING), ((), 64)])
async def test_idle_and_half_sent_connections_hold_nobody_up(tmp_path: Path, proxies: Any, waiting: int) -> None:
    """1,100 of them: health and a publication answer, and so does a subscription."""
    async with serving(tmp_path, trusted_proxies=proxies) as site, flood(site.base, FLOOD), site.client() as client:
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=site.operators) as operator:
            assert (await operator.get("/healthz")).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.post(WHIP, content=b"v=0", headers=SDP)).status_code == 201
        async with site.subscribe() as subscriber:
            assert (await receive(subscriber))["type"] == "hello"
        assert time.monotonic() - began < 5.0
        # Of those who wait only so many are kept; the client is connected, too.
        assert len(site.server.server_state.connections) <= waiting + 2
        assert turned_away(site, "idle") >= FLOOD - waiting


async def test_a_flood_at_the_operators_listener_does_not_silence_it(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as site,
        flood(site.operators, FLOOD),
        httpx.AsyncClient(base_url=site.operators) as operator,
    ):
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await operator.get(path)).status_code == 200


@pytest.mark.parametrize("sent", [b"", HALF, b"GET /heal"])
async def test_whoever_sends_no_whole_request_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connection, "WAIT_SECONDS", 0.05)
    async with serving(tmp_path) as site:
        reader, writer = await dial(site.base)
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
        assert turned_away(site, "idle") == 1


@pytest.mark.parametrize("first", [HALF, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n"])
async def test_a_drop_now_and_then_keeps_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    """Neither in the headers nor in a body that nobody has asked for."""
    monkeypatch.setattr(connection, "WAIT_SECONDS", 0.2)
    async with serving(tmp_path) as site:
        reader, writer = await dial(site.base)
        writer.write(first)
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(PATIENCE):
            while not ended.done():
                writer.write(b"x")
                await asyncio.wait({ended}, timeout=0.02)
        with contextlib.suppress(ConnectionResetError):
            assert (await ended).startswith(b"HTTP/1.1 200 OK" if first is not HALF else b"")
        writer.close()


async def test_who_reads_no_answer_is_let_go_unless_they_have_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.1)
    lost = asyncio.Event()
    was_lost = BoundedHttp.connection_lost

    def noticed(protocol: BoundedHttp, error: Exception | None) -> None:
        was_lost(protocol, error)
        lost.set()

    monkeypatch.setattr(BoundedHttp, "connection_lost", noticed)
    async with serving(tmp_path) as site, site.client() as client:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        host, port = site.base.removeprefix("http://").split(":")
        await asyncio.get_running_loop().sock_connect(deaf, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=deaf, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
        await asyncio.wait_for(lost.wait(), PATIENCE)
        assert turned_away(site, "idle") == 1
        writer.transport.abort()
        # A publication that takes longer is no stranger's.
        site.peers.gate.clear()
        waiting = asyncio.create_task(client.post(WHIP, content=b"v=0", headers=SDP))
        await site.peers.asked.wait()
        await asyncio.wait({waiting}, timeout=0.3)
        site.peers.gate.set()
        assert (await waiting).status_code == 201
        del reader


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/healthz?" + "x" * MAX_TARGET_BYTES, {}, 414),
        ("/healthz", {"X-Large": "x" * MAX_HEAD_BYTES}, 431),
        ("/healthz", {f"X-{number}": "x" for number in range(MAX_HEADERS + 1)}, 431),
        ("/healthz?" + "x" * (MAX_TARGET_BYTES - 100), {"X-Large": "x" * 4000}, 200),
    ],
)
async def test_what_a_request_may_hold_is_ours_to_say(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
) -> None:
    async with serving(tmp_path) as site:
        async with httpx.AsyncClient(base_url=site.base) as client:
            answer = await client.get(path, headers=headers)
        assert answer.status_code == status
        assert "content-security-policy" in answer.headers
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status
            assert turned_away(site, "too_large") == 1


async def test_headers_are_refused_before_they_are_whole_and_not_sooner_than_we_say(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        reader, writer = await dial(site.base)
        writer.write(HALF + b"x" * (MAX_HEAD_BYTES - 1000))
        async with httpx.AsyncClient(base_url=site.base) as client:
            assert (await client.get("/healthz")).status_code == 200
        writer.write(b"\r\nConnection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), PATIENCE)).startswith(b"HTTP/1.1 200 ")
        writer.close()
        reader, writer = await dial(site.base)
        writer.write(HALF + b"x" * (MAX_HEAD_BYTES + 1))
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"send at most 64 headers" in answer
        writer.close()


@pytest.fixture
def logged_by_uvicorn(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """A program around this one that has uvicorn configure the log."""
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.error.requests")
    before = [(one, one.level, one.handlers, one.propagate) for one in map(logging.getLogger, names)]
    logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)
    yield
    for one, level, handlers, propagate in before:
        one.setLevel(level)
        one.handlers, one.propagate = handlers, propagate


@pytest.mark.usefixtures("logged_by_uvicorn")
async def test_what_is_no_request_is_a_problem_and_no_line_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(tmp_path) as site:
        reader, writer = await dial(site.base)
        writer.write(b"\x16\x03\x01 hello TLS\r\n\r\n")
        head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in head
        assert b'"status": 400' in body
        writer.close()
    assert "Invalid HTTP request" not in capsys.readouterr().err


async def test_sockets_that_were_shown_out_and_linger_hold_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that answers no close frame keeps its connection only while nobody needs the place."""
    monkeypatch.setattr("monitor.api.alerts.MAX_SILENT", 4)
    handshake = (
        b"GET /v1/alerts HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with serving(tmp_path) as site:
        deaf = []
        for _ in range(MAX_WAITING + 44):
            deaf.append(await dial(site.base))
            deaf[-1][1].write(handshake)
            assert (await deaf[-1][0].readline()).startswith(b"HTTP/1.1 101")
        async with site.connect() as late:
            await late.send(subscription())
            assert (await receive(late))["type"] == "hello"
            assert len(site.server.server_state.connections) <= MAX_WAITING + 4 + 2
        for _, writer in deaf:
            writer.transport.abort()
