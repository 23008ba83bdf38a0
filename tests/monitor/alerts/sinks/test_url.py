from __future__ import annotations

import pytest

from monitor.alerts.sinks.url import MAX_URL, objection

WRONG = (
    "",
    "siem.example",
    "ftp://siem.example",
    "https://",
    "https://[",
    "https://a:0/",
    "https://a:x/",
    "https://ä/",
)


@pytest.mark.parametrize("text", ["https://siem.example", "http://10.0.0.1:8080/a?b=c", "https://[::1]/a"])
def test_addresses_that_can_be_asked(text: str) -> None:
    assert objection(text) is None


@pytest.mark.parametrize(
    "text",
    [*WRONG, "https://a/b c", "https://a/\n", "https://a/" + "b" * MAX_URL],
)
def test_what_is_no_address(text: str) -> None:
    assert objection(text) == "write an address such as https://siem.example/path"


@pytest.mark.parametrize("text", ["https://user@a/", "https://:secret@a/", "https://a/#part"])
def test_what_does_not_belong_into_one(text: str) -> None:
    assert objection(text) == "leave user, password and fragment out of the address"
