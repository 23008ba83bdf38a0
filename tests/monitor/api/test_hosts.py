"""Names that requests are for, and pages that they come from."""

from __future__ import annotations

import pytest

from monitor.api.hosts import is_served, is_welcome, name_of

NAMES = ("meet.example", "sidewitness")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("meet.example", "meet.example"),
        ("Meet.Example.:8480", "meet.example"),
        ("127.0.0.1:8480", "127.0.0.1"),
        ("[::1]:8480", "::1"),
        (" localhost ", "localhost"),
        ("", ""),
        ("a:b", ""),
        ("[::1", ""),
        ("a/b", ""),
        ("a@meet.example", ""),
        ("meet.example#x", ""),
        ("meet.example?x", ""),
        ("meet .example", ""),
    ],
)
def test_the_name_in_a_host_header(host: str, name: str) -> None:
    assert name_of(host) == name


@pytest.mark.parametrize(
    "host", [None, "localhost:8480", "127.0.0.1:8480", "192.0.2.7", "[fd00::7]:80", "meet.example", "SIDEWITNESS:8480"]
)
def test_addresses_and_names_of_this_server_are_served(host: str | None) -> None:
    assert is_served(host, NAMES)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8480", "meet.example.evil.example", "127.0.0.1.evil.example", "a@127.0.0.1"],
)
def test_a_name_that_was_let_lead_here_is_not(host: str) -> None:
    assert not is_served(host, NAMES)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "evil.example"),
        ("http://127.0.0.1:8480", "127.0.0.1:8480"),
        ("https://meet.example", "meet.example"),
        ("https://meet.example", "Meet.Example:443"),
        ("https://meet.example:8443", "meet.example:8443"),
        ("https://listed.example", "127.0.0.1:8480"),
    ],
)
def test_our_own_pages_and_what_is_none_are_welcome(origin: str | None, host: str) -> None:
    assert is_welcome(origin, host, ["https://listed.example"])


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "127.0.0.1:8480"),
        ("null", "127.0.0.1:8480"),
        ("", "127.0.0.1:8480"),
        ("http://", ""),
        ("http://127.0.0.1:8481", "127.0.0.1:8480"),
        ("http://127.0.0.1", "127.0.0.1:8480"),
        ("chrome-extension://meet.example", "meet.example"),
        ("http://meet.example:x", "meet.example"),
        ("http://meet.example", "a:b"),
        ("http://meet.example", None),
        ("http://listed.example", "127.0.0.1:8480"),
    ],
)
def test_pages_of_others_are_not(origin: str, host: str | None) -> None:
    assert not is_welcome(origin, host, ["https://listed.example"])
