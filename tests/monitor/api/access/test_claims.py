from __future__ import annotations

from typing import Any

import pytest

from monitor.api.access.claims import MAX_MINUTES, SKEW_SECONDS, TokenError, claims_of, granted, ordered, read
from monitor.api.access.grant import Grant, Refusal, Seat
from monitor.api.access.roles import Role

NOW = 1_770_000_000
ORDER = ordered("alice", "publisher", 30, "board", "alice*", "Alice A")
CLAIMS = claims_of(granted(ORDER, "id-1", NOW), NOW)


def test_what_is_written_is_read_back() -> None:
    seat = Seat("board", "alice*", "Alice A")
    assert read(CLAIMS, NOW) == Grant("alice", Role.PUBLISHER, "id-1", NOW + 1800, seat)
    own = granted(ordered("jane", "subject", 30, identity="Jane Doe"), "id-3", NOW)
    assert (own.identity, read(claims_of(own, NOW), NOW)) == ("Jane Doe", own)
    for missing in ({"identity": None}, {"identity": ""}, {"identity": 7}):
        assert read({**claims_of(own, NOW), **missing}, NOW) is Refusal.WRONG
    for role in set(Role) - {Role.PUBLISHER, Role.SUBJECT}:
        grant = granted(ordered("bob", role), "id-2", NOW)
        assert read(claims_of(grant, NOW), NOW) == grant
        assert grant.seat is None


def test_a_token_is_good_from_its_making_to_its_end() -> None:
    assert isinstance(read(CLAIMS, NOW + 1799.9), Grant)
    assert read(CLAIMS, NOW + 1800) is Refusal.EXPIRED
    assert isinstance(read(CLAIMS, NOW - SKEW_SECONDS), Grant)
    assert read(CLAIMS, NOW - SKEW_SECONDS - 0.1) is Refusal.NOT_YET


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", "elsewhere"),
        ("aud", ["sidewitness"]),
        ("aud", None),
        ("exp", None),
        ("exp", 1e99),
        ("exp", str(NOW + 100)),
        ("exp", True),
        ("nbf", None),
        ("nbf", "0"),
        ("sub", None),
        ("sub", ""),
        ("sub", 7),
        ("jti", None),
        ("jti", ""),
        ("role", None),
        ("role", "root"),
        ("role", ["admin"]),
        ("call", None),
        ("call", ""),
        ("participant", None),
        ("identity", ""),
        ("identity", 3),
    ],
)
def test_a_claim_that_is_not_as_written_makes_the_token_wrong(name: str, value: Any) -> None:
    assert read({**CLAIMS, name: value}, NOW) is Refusal.WRONG
    assert name in CLAIMS
    if name != "identity":
        assert read({key: kept for key, kept in CLAIMS.items() if key != name}, NOW) is Refusal.WRONG


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (("Alice", "viewer"), "subject"),
        (("", "viewer"), "subject"),
        (("a" * 65, "viewer"), "subject"),
        (("operator", "admin"), "subject"),
        (("startup", "admin"), "subject"),
        (("alice", "root"), "no such role"),
        (("alice", "viewer", 0), "1 to"),
        (("alice", "viewer", MAX_MINUTES + 1), "1 to"),
        (("alice", "publisher"), "needs the call"),
        (("alice", "publisher", 5, "no/call"), "call must"),
        (("alice", "publisher", 5, "board", "a*b*"), "one \\*"),
        (("alice", "publisher", 5, "board", "a b"), "participant must"),
        (("alice", "publisher", 5, "board", "a", " x"), "identity must"),
        (("alice", "viewer", 5, "board"), "publishers only"),
        (("alice", "viewer", 5, None, "a"), "publishers only"),
        (("alice", "viewer", 5, None, None, "a"), "publishers and subjects only"),
        (("jane", "subject"), "needs the identity"),
        (("jane", "subject", 5, "board", None, "Jane Doe"), "publishers only"),
        (("jane", "subject", 5, None, None, " x"), "identity must"),
    ],
)
def test_an_order_that_cannot_be_is_one_line(order: tuple[Any, ...], why: str) -> None:
    with pytest.raises(TokenError, match=why):
        ordered(*order)


def test_a_publisher_may_be_whoever_in_the_call_where_nobody_is_named() -> None:
    assert ordered("sfu", "publisher", 5, "board", "", "").seat == Seat("board", "*", None)


def test_a_token_says_whose_it_is_unless_there_is_but_one() -> None:
    order = ordered("alice", "admin")
    assert "tenant" not in claims_of(granted(order, "id-1", NOW), NOW)
    theirs = granted(order, "id-1", NOW, "acme")
    assert claims_of(theirs, NOW)["tenant"] == "acme"
    assert read(claims_of(theirs, NOW), NOW) == theirs
    for tenant in ("", None, 7, ["acme"]):
        assert read({**claims_of(theirs, NOW), "tenant": tenant}, NOW) is Refusal.WRONG
