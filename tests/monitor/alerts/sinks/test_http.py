"""What a sink sends with: where it connects to, whom it believes, what it reads, and what a reply means to it."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from monitor.alerts.sinks.base import GoneError, RefusedError, SinkError
from monitor.alerts.sinks.http import (
    MAX_REPLY_BYTES,
    HttpClient,
    HttpOptions,
    Post,
    Reply,
    Token,
    Url,
    check,
    retry_after_seconds,
)
from tests.monitor.alerts.sinks.certificates import Issued, issue
from tests.monitor.alerts.sinks.receiver import Answer, Fault, Request, receiving

SECRET = "hunter2"


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("tls"))


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Names lead to these addresses, one after another; returns what was asked for."""
    asked: list[str] = []

    async def getaddrinfo(self: object, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def post(url: str, **options: Any) -> Reply:
    client = HttpClient(HttpOptions(**{"timeout_seconds": 5.0, **options}))
    try:
        return await client.post(Post(url, b"{}", {"Authorization": SECRET}))
    finally:
        await client.close()


async def refusal(url: str, **options: Any) -> str:
    with pytest.raises(SinkError) as caught:
        await post(url, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    return text


async def test_a_request_arrives_as_it_was_made() -> None:
    async with receiving(lambda _: Answer(202, b"ok", {"X-Told": "yes"})) as receiver:
        reply = await post(f"{receiver.url}/a?b=c", allow_private=True)
    assert (reply.status, reply.headers["x-told"], reply.body) == (202, "yes", b"ok")
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/a?b=c", b"{}")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_private_address_is_refused_unless_it_is_allowed() -> None:
    async with receiving() as receiver:
        assert "private address: set allow_private" in await refusal(f"https://127.0.0.1:{receiver.port}/{SECRET}")
        assert "in the clear: use https" in await refusal(f"{receiver.url}/{SECRET}")
    assert receiver.connections == 0


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.3.4", "192.168.1.1", "::1", "fd00::1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_inside_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, address)
    assert "private address" in await refusal("https://siem.example/")
    assert asked == ["siem.example"]


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "100.100.100.200", "fd00:ec2::254"])
async def test_metadata_services_are_refused_whatever_is_allowed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, address)
    for scheme in ("http", "https"):
        assert "private address" in await refusal(f"{scheme}://siem.example/", allow_private=True)


async def test_nothing_goes_in_the_clear_to_a_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.216.34")
    assert "in the clear to a public address" in await refusal("http://siem.example/", allow_private=True)


async def test_a_name_that_changes_its_mind_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch, issued: Issued) -> None:
    """DNS rebinding: what was checked is connected to, and the name is not looked up again."""
    async with receiving(tls=issued.server) as receiver:
        asked = resolving(monkeypatch, "127.0.0.1", "169.254.169.254")
        reply = await post(receiver.url, allow_private=True, ca_file=issued.ca)
        assert reply.status == 200
        assert asked == ["localhost"]
        asked = resolving(monkeypatch, "10.0.0.1", "127.0.0.1")
        assert "private address" in await refusal(receiver.url, ca_file=issued.ca)
        assert asked == ["localhost"]


@pytest.mark.parametrize("is_connected", [False, True])
async def test_a_request_that_is_cut_short_at_any_moment_is_followed_by_others(is_connected: bool) -> None:
    """Of httpcore's pool some moments keep the only place taken, so that nothing would be sent ever again."""
    async with receiving() as receiver:
        post = Post(f"{receiver.url}/x", b"{}")
        for steps in range(60):
            client = HttpClient(HttpOptions(allow_private=True, timeout_seconds=10.0))
            if is_connected:
                await client.post(post)
            cut = asyncio.create_task(client.post(post))
            for _ in range(steps):
                await asyncio.sleep(0)
            cut.cancel()
            await asyncio.gather(cut, return_exceptions=True)
            assert (await client.post(post)).status == 200, steps
            await client.close()


async def test_certificates_are_verified(issued: Issued, tmp_path: Path) -> None:
    async with receiving(tls=issued.server) as receiver:
        assert "certificate is not believed" in await refusal(receiver.url, allow_private=True)
        assert (await post(receiver.url, allow_private=True, ca_file=issued.ca)).status == 200
        accepted = len(receiver.requests)
    elsewhere = issue(tmp_path, "siem.example")
    async with receiving(tls=elsewhere.server) as receiver:
        assert "not believed (Hostname mismatch" in await refusal(
            receiver.url, allow_private=True, ca_file=elsewhere.ca
        )
        assert (len(receiver.requests), accepted) == (0, 1)


async def test_redirects_are_not_followed() -> None:
    async with receiving() as inside:
        async with receiving(lambda _: Answer(307, b"", {"Location": inside.url})) as receiver:
            reply = await post(receiver.url, allow_private=True)
        with pytest.raises(SinkError, match="redirects are not followed"):
            check(reply)
    assert inside.connections == 0


async def test_an_answer_without_end_is_not_read() -> None:
    async with receiving(lambda _: Answer(200, b"x" * (MAX_REPLY_BYTES + 1))) as receiver:
        assert "has no end" in await refusal(receiver.url, allow_private=True)


@pytest.mark.parametrize(
    ("fault", "message"),
    [("reset", "connection broke"), ("half", "connection broke"), ("silence", "did not answer in time")],
)
async def test_an_answer_that_does_not_come_whole(fault: Fault, message: str) -> None:
    async with receiving(lambda _: fault) as receiver:
        assert message in await refusal(f"{receiver.url}/{SECRET}", allow_private=True, timeout_seconds=0.3)
    assert receiver.accepted == []


async def test_nobody_there_and_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "nobody listens" in await refusal(f"http://127.0.0.1:{port}/{SECRET}", allow_private=True)
    assert "cannot be found" in await refusal(f"https://{SECRET}.invalid/")


async def test_a_connection_is_kept_and_a_lost_one_made_anew() -> None:
    answers: list[Answer | Fault] = [Answer(), Answer(), "reset", Answer()]

    def decide(_request: Request) -> Answer | Fault:
        return answers.pop(0)

    async with receiving(decide) as receiver:
        client = HttpClient(HttpOptions(allow_private=True))
        sent = Post(receiver.url, b"{}")
        assert [(await client.post(sent)).status for _ in range(2)] == [200, 200]
        assert receiver.connections == 1
        with pytest.raises(SinkError):
            await client.post(sent)
        assert (await client.post(sent)).status == 200
        await client.close()


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(200, None), (204, None), (410, GoneError), *((status, RefusedError) for status in (400, 413, 418, 422)),
     *((status, SinkError) for status in (100, 301, 401, 403, 404, 408, 409, 429, 500, 503))],
)  # fmt: skip
def test_what_a_status_means(status: int, meaning: type[SinkError] | None) -> None:
    reply = Reply(status, {"retry-after": "7"}, b"")
    if meaning is None:
        check(reply)
        return
    with pytest.raises(SinkError) as caught:
        check(reply)
    assert type(caught.value) is meaning
    asked = caught.value.retry_after_seconds
    assert asked == (7.0 if status in (408, 409, 429, 500, 503, 100) else None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120.0), (" 0 ", 0.0), ("9" * 400, 999999999.0), ("Sun, 01 Mar 2026 12:00:10 GMT", 10.0),
     ("Sun, 01 Mar 2026 12:00:10 -0000", 10.0), ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0), ("soon", None), ("-1", None),
     ("", None), (None, None), ("１２", None)],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    "url",
    ["siem.example", "ftp://siem.example", "https://", "https://a b", "https://x:0/", "https://x:99999/",
     "https://u:hunter2@x/", "https://x/#hunter2", "https://ü/", "https://x/\r\nA: b", "https://[::1", "x" * 3000],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Url).validate_python(url)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    url = TypeAdapter(Url).validate_python(f"https://x/{SECRET}")
    token = TypeAdapter(Token).validate_python(SECRET)
    shown = repr((url, token, Post(f"https://{SECRET}", SECRET.encode(), {SECRET: SECRET}), Reply(200, {}, b"hunter2")))
    assert SECRET not in shown
    for bad in ("", "a b", "a\r\nb"):
        with pytest.raises(ValidationError):
            TypeAdapter(Token).validate_python(SecretStr(bad))


def test_files_that_cannot_be_read_are_told_at_the_start(tmp_path: Path, issued: Issued) -> None:
    for options in ({"ca_file": tmp_path / "absent"}, {"client_certificate": issued.ca}, {"client_key": issued.key}):
        with pytest.raises(ValidationError, match=r"cannot be read|needs client_certificate"):
            HttpOptions.model_validate(options)
    assert HttpOptions(client_certificate=issued.certificate, client_key=issued.key).client_key == issued.key
