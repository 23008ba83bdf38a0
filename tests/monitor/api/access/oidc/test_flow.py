from __future__ import annotations

import pytest

from monitor.api.access.oidc.flow import (
    MINUTES,
    Attempt,
    address_to_ask,
    begun,
    is_answer_to,
    is_own_path,
    recalled,
    remembered,
)
from tests.toys.identity_provider import queried

NOW = 1_770_000_000


def test_the_challenge_is_that_of_the_specification() -> None:
    # RFC 7636, appendix B.
    attempt = Attempt("s", "n", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "/")
    assert attempt.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_what_is_remembered_is_recalled_for_ten_minutes() -> None:
    attempt = begun("/try")
    claims = remembered(attempt, NOW)
    assert recalled(claims, NOW + 60 * MINUTES - 1) == attempt
    assert recalled(claims, NOW + 60 * MINUTES) is None
    assert recalled(None, NOW) is None
    for name, value in (("aud", "sidewitness"), ("exp", None), ("state", 7), ("verifier", None)):
        assert recalled({**claims, name: value}, NOW) is None
    assert len({*vars_of(begun("/")), *vars_of(begun("/"))}) == 6


def vars_of(attempt: Attempt) -> tuple[str, str, str]:
    return attempt.state, attempt.nonce, attempt.verifier


@pytest.mark.parametrize("endpoint", ["https://login.example/auth", "https://login.example/auth?tenant=a"])
def test_the_browser_is_sent_with_a_challenge_and_never_the_verifier(endpoint: str) -> None:
    attempt = begun("/")
    address = address_to_ask(endpoint, attempt, "us & them", "https://monitor.example/back", ("openid", "profile"))
    asked = queried(address)
    assert address.startswith(endpoint)
    assert attempt.verifier not in address
    assert (asked["client_id"], asked["scope"], asked["state"]) == ("us & them", "openid profile", attempt.state)


def test_an_answer_is_to_its_attempt_and_of_its_provider() -> None:
    attempt = begun("/")
    assert is_answer_to(attempt, attempt.state, None, "https://login.example")
    assert is_answer_to(attempt, attempt.state, "https://login.example", "https://login.example")
    assert not is_answer_to(attempt, attempt.state, "https://evil.example", "https://login.example")
    assert not is_answer_to(attempt, "ä", None, "https://login.example")


def test_a_way_back_leads_into_our_pages() -> None:
    assert all(map(is_own_path, ("/", "/try", "/enroll?name=a#b")))
    assert not any(map(is_own_path, ("", "try", "//evil", "/\\evil", "/a\\b", "/a b", "/ä", "/a\n", "/" + "a" * 600)))
