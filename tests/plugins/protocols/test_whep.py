"""What a WHEP server's answers mean to a player."""

from __future__ import annotations

import re

import pytest

from plugins.protocols.whep import (
    Answered,
    CounterOffer,
    Later,
    Redirected,
    Refused,
    Reply,
    origin,
    read_reply,
    resolve,
    retry_after_seconds,
    wait_seconds,
)

URL = "https://media.example/whep/ada"
SDP = {"content-type": "application/sdp"}


@pytest.mark.parametrize(
    ("status", "headers", "reply"),
    [
        (201, SDP | {"location": "/s/1"}, Answered("https://media.example/s/1")),
        (201, {"content-type": "Application/SDP; charset=utf-8", "location": "1"}, Answered(URL[:-3] + "1")),
        (406, SDP | {"location": "https://other.example/s"}, CounterOffer("https://other.example/s")),
        (307, {"location": "//edge.example/x"}, Redirected("https://edge.example/x")),
        (308, {"location": "?a=1"}, Redirected(URL + "?a=1")),
        (409, {"retry-after": "7"}, Later(7.0)),
        (409, {}, Later(2.0)),
        (409, {"retry-after": "0"}, Later(0.1)),
    ],
)
def test_what_goes_on(status: int, headers: dict[str, str], reply: Reply) -> None:
    assert read_reply(URL, status, headers) == reply


@pytest.mark.parametrize(
    ("status", "headers", "why", "seconds"),
    [
        (201, SDP, "without saying where the session is", None),
        (201, {"location": "/s"}, "without saying where", None),
        (406, {}, "takes no offer of ours and makes none", None),
        (307, {}, "redirects to nowhere", None),
        (307, {"location": "http://media.example/"}, "redirects to nowhere", None),
        (302, {"location": "/elsewhere"}, r"as a POST must not be \(302\)", None),
        (401, {}, r"refuses to play \(401\): check the url and the token", None),
        (429, {"retry-after": "30"}, r"refuses to play \(429\)", 30.0),
        (503, {"retry-after": "9000"}, r"cannot play now \(503\)", 300.0),
        (200, {}, r"cannot play now \(200\)", None),
    ],
)
def test_what_does_not(status: int, headers: dict[str, str], why: str, seconds: float | None) -> None:
    reply = read_reply(URL, status, headers)
    assert isinstance(reply, Refused)
    assert reply.seconds == seconds
    assert re.search(why, reply.why)


def test_circles_end() -> None:
    assert isinstance(read_reply(URL, 307, {"location": "/a"}, redirects=5), Refused)


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "a" * 3000,
        "a\nb",
        "ftp://x/",
        "javascript:x",
        "https://[",
        "https://x:99999/",
        "https://:443/x",
        "https://x:0/",
        "http://x/",
    ],
)
def test_what_is_no_location(location: str | None) -> None:
    assert resolve(URL, location) is None


def test_a_token_is_for_one_origin() -> None:
    assert origin("https://a/x") == origin("https://a:443/y") != origin("http://a/x")
    assert origin("http://a") == ("http", "a", 80)
    assert origin("http://a:81") != origin("http://a")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        (" 5 ", 5.0),
        ("-1", None),
        ("1.5", None),
        ("9" * 10, None),
        ("9" * 9, 300.0),
        ("٣", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value) == seconds


def test_pauses_double_and_never_go_below_what_was_asked() -> None:
    assert [wait_seconds(n, 2.0) for n in range(6)] == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert wait_seconds(10**6, 100.0) == 100.0
