from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.api.lobby import InProgress, Lobby

ADDRESSES = (None, "a", "b", "c")


def test_who_waits_longest_goes_when_all_places_are_taken() -> None:
    lobby: Lobby[int] = Lobby(places=3, per_address=9)
    assert [lobby.enter(who, None) for who in range(5)] == [None, None, None, 0, 1]
    assert len(lobby) == 3


def test_of_a_crowded_address_its_own_go() -> None:
    lobby: Lobby[str] = Lobby(places=9, per_address=2)
    assert lobby.enter("other", "b") is None
    assert [lobby.enter(who, "a") for who in ("one", "two", "three")] == [None, None, "one"]
    assert lobby.leave("other")
    assert lobby.enter("four", "a") == "two"


def test_who_comes_again_is_the_newest() -> None:
    lobby: Lobby[str] = Lobby(places=2, per_address=2)
    for who in ("one", "two", "one"):
        assert lobby.enter(who, "a") is None
    assert lobby.enter("three", "b") == "two"


def test_who_does_not_wait_cannot_leave() -> None:
    lobby: Lobby[str] = Lobby(places=2, per_address=2)
    lobby.enter("one", "a")
    assert lobby.leave("one")
    assert not lobby.leave("one")
    assert len(lobby) == 0


@given(st.lists(st.tuples(st.sampled_from(ADDRESSES), st.booleans()), max_size=60))
def test_the_lobby_never_holds_more_than_it_may(steps: list[tuple[str | None, bool]]) -> None:
    lobby: Lobby[int] = Lobby(places=5, per_address=2)
    inside: dict[int, str | None] = {}
    for who, (address, leaves) in enumerate(steps):
        shown_out = lobby.enter(who, address)
        inside[who] = address
        if shown_out is not None:
            assert shown_out != who
            del inside[shown_out]
        if leaves:
            assert lobby.leave(who)
            del inside[who]
        assert len(lobby) == len(inside) <= 5
        assert all(list(inside.values()).count(one) <= 2 for one in ADDRESSES if one is not None)


def test_requests_in_progress() -> None:
    progress = InProgress(places=3, per_address=2)
    for address in ("a", "a", None):
        assert not progress.is_crowded(address)
        assert not progress.is_full
        progress.begin(address)
    assert progress.is_crowded("a")
    assert not progress.is_crowded("b")
    assert not progress.is_crowded(None)
    assert progress.is_full
    progress.end("a")
    assert not progress.is_crowded("a")
    progress.end("a")
    progress.end(None)
    assert len(progress) == 0
