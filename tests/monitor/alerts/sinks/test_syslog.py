"""Syslog over TLS, to Debian's rsyslog and to a receiver that is cut off in the middle."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.journal import Entry
from monitor.alerts.sinks.base import SinkError
from monitor.alerts.sinks.registry import open_sinks
from monitor.alerts.sinks.syslog import SyslogOptions, SyslogSink
from monitor.config import ConfigError, SinkSettings
from tests.monitor.alerts.build import finding
from tests.monitor.alerts.sinks import rsyslog
from tests.monitor.alerts.sinks.certificates import Issued, issue

EPISODE = [Entry(4 + step, finding("e", step)) for step in range(3)]


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("tls"))


def sink(port: int, issued: Issued, **more: Any) -> SyslogSink:
    options = {"host": "localhost", "port": port, "ca_file": issued.ca, "allow_private": True, **more}
    return SyslogSink(SyslogOptions(**options))


class Collector:
    """Reads to the end of the stream, or cuts it after so many octets; `messages` were read by their length."""

    def __init__(self, cut_after: int | None = None, politely: bool = False) -> None:
        self.data = b""
        self.cut_after = cut_after
        self.politely = politely

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while chunk := await reader.read(100):
                self.data += chunk
                if self.cut_after is not None and len(self.data) >= self.cut_after:
                    break
        if self.politely:
            # Its end of TLS is said, as one does that has read everything.
            writer.close()
        else:
            writer.transport.abort()

    @property
    def messages(self) -> list[bytes]:
        found, rest = [], self.data
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(rest[: int(length)])
            rest = rest[int(length) :]
        return found


@asynccontextmanager
async def collecting(
    issued: Issued, cut_after: int | None = None, politely: bool = False
) -> AsyncIterator[tuple[Collector, int]]:
    collector = Collector(cut_after, politely)
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0, ssl=issued.server)
    try:
        yield collector, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.skipif(rsyslog.missing() is not None, reason=rsyslog.missing() or "")
async def test_rsyslog_reads_what_is_sent(tmp_path: Path, issued: Issued) -> None:
    port = rsyslog.free_port()
    async with rsyslog.rsyslog(tmp_path, issued, port) as output:
        await sink(port, issued, hostname="witness-1").deliver(EPISODE)
        got = await rsyslog.lines(output, 3)
    for line, entry in zip(got, EPISODE, strict=True):
        pri, time, host, app, message_id, data, message = line.split("|", 6)
        assert (pri, host, app, message_id) == ("130", "witness-1", "sidewitness", "finding.opened")
        assert time == "2026-03-01T12:00:00.250Z"
        assert data == f'[meta sequenceId="{entry.seq}"]'
        assert message.lstrip().startswith("CEF:0|Sidewitness|Sidewitness|")
        assert f"cs1=e.{entry.finding.step} " in message


async def test_messages_are_counted_in_octets(issued: Issued) -> None:
    async with collecting(issued) as (collector, port):
        for _ in range(2):
            await sink(port, issued).deliver(EPISODE)
    assert len(collector.messages) == 6
    assert all(message.startswith(b"<130>1 2026-03-01T12:00:00.250Z ") for message in collector.messages)


@pytest.mark.parametrize("politely", [False, True])
@pytest.mark.parametrize("times", [1, 200])
async def test_a_connection_that_is_cut_is_a_delivery_that_failed(
    times: int, politely: bool, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the kernel has taken: the receiver has not said that it has read it."""
    monkeypatch.setattr("monitor.alerts.sinks.syslog.GRACE_SECONDS", 10.0)
    async with collecting(issued, cut_after=100, politely=politely) as (collector, port):
        with pytest.raises(SinkError, match="connection broke"):
            await sink(port, issued).deliver(EPISODE * times)
    assert len(collector.data) < 10_000


async def test_a_receiver_that_reads_nothing_is_given_up(issued: Issued) -> None:
    async def nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        waiting.append(writer)

    waiting: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(nothing, "127.0.0.1", 0, ssl=issued.server)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(SinkError, match=r"in time|connection broke"):
        await sink(port, issued, timeout_seconds=0.5).deliver(EPISODE * 2000)
    for writer in waiting:
        writer.transport.abort()
    server.close()
    await server.wait_closed()


async def test_the_certificate_and_the_address_are_checked(issued: Issued, tmp_path: Path) -> None:
    async with collecting(issued) as (collector, port):
        for more, message in (
            ({"ca_file": issue(tmp_path).ca}, "certificate is not believed"),
            ({"allow_private": False}, "private address: set allow_private"),
        ):
            with pytest.raises(SinkError, match=message):
                await sink(port, issued, **more).deliver(EPISODE)
        with pytest.raises(SinkError, match="nobody listens"):
            await sink(rsyslog.free_port(), issued).deliver(EPISODE)
    assert collector.data == b""


@pytest.mark.parametrize("host", ["", "https://siem.example", "a b", "x:6514/", "x\r\n"])
def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(ConfigError, match=r"'sinks\.0\.host'"):
        open_sinks([SinkSettings.model_validate({"kind": "syslog", "host": host})])
