from __future__ import annotations

import pytest

from monitor.api.access.grant import Grant, Refusal, Seat
from monitor.api.access.roles import Permission, Role
from monitor.types import ParticipantKey


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("alice", "alice", True),
        ("alice", "alice2", False),
        ("alice", "Alice", False),
        ("*", "anybody", True),
        ("guest-*", "guest-7", True),
        ("guest-*", "host-7", False),
        ("*-cam", "alice-cam", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*", "axb", False),
    ],
)
def test_a_seat_is_a_name_or_a_pattern_with_one_star(pattern: str, name: str, fits: bool) -> None:
    key = ParticipantKey("board", name)
    assert Seat("board", pattern).taken_by(key) == (key if fits else None)


def test_a_seat_is_in_one_call() -> None:
    assert Seat("board", "*").taken_by(ParticipantKey("board2", "alice")) is None


def test_whoever_takes_the_seat_of_a_protected_person_claims_to_be_them() -> None:
    seat = Seat("board", "alice", "Alice A")
    claimed = ParticipantKey("board", "alice", "Alice A")
    assert seat.taken_by(claimed) == claimed
    assert seat.taken_by(ParticipantKey("board", "alice")) == claimed
    assert seat.taken_by(ParticipantKey("board", "alice", "Bob B")) is None
    assert Seat("board", "alice").taken_by(claimed) is None


def test_a_grant_does_what_its_role_may_and_is_bound_by_its_seat() -> None:
    key = ParticipantKey("board", "alice")
    publisher = Grant("a", Role.PUBLISHER, seat=Seat("board", "alice"))
    assert publisher.may(Permission.PUBLISH)
    assert not publisher.may(Permission.WATCH)
    assert publisher.published_as(key) == key
    assert publisher.published_as(ParticipantKey("board", "bob")) is None
    assert Grant("root", Role.ADMIN).published_as(ParticipantKey("other", "bob", "X")) is not None


def test_every_refusal_has_a_word_and_says_what_to_do() -> None:
    assert len({refusal.cause for refusal in Refusal}) == len(Refusal)
    assert all(refusal.detail for refusal in Refusal)
