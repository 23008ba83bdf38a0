"""Who of several gateways goes on with somebody, and what they say of a call together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from monitor.decision.decide import DecisionConfig, initial
from monitor.host.cluster.ledger import Lost, Seat
from monitor.host.departed import Departed
from monitor.host.peers.sharing import call_of, came_later, heir, opens, place_of, together
from monitor.identity.claimed import stated
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import finding

KEY = ParticipantKey("board", "ada")


def person(name: str, watched: bool, verdict: str = "genuine") -> dict[str, Any]:
    return {"participant": name, "verdict": verdict, "coverage": {"watched": watched}}


def call(name: str, *people: dict[str, Any], **reasons: float) -> dict[str, Any]:
    coverage = {"listed": len(people), "watched": 1, "seconds": 3.5, "watched_seconds": 2.0}
    return {"call": name, "participants": list(people), "coverage": {**coverage, "unwatched_seconds": reasons}}


def test_everybody_who_asks_of_the_same_gateways_finds_the_same_heir() -> None:
    gateways = ["a", "b", "c"]
    everybody = [(f"call-{number % 7}", f"p{number}") for number in range(600)]
    chosen = {place: heir(place, gateways) for place in everybody}
    assert chosen == {place: heir(place, reversed(gateways)) for place in everybody}
    assert all(150 < number < 250 for number in Counter(chosen.values()).values())
    # One that is gone moves nobody but those whom it had.
    left = {place: heir(place, ["a", "c"]) for place in everybody}
    assert {place for place in everybody if left[place] != chosen[place]} == {
        place for place in everybody if chosen[place] == "b"
    }


def test_a_way_in_is_opened_by_one_gateway_of_those_that_have_it_in_their_settings() -> None:
    both = {"a": frozenset({"x", "y"}), "b": frozenset({"x"}), "c": frozenset[str]()}
    nobody = dict.fromkeys(both, frozenset[str]())
    assert opens("x", both, nobody) in {"a", "b"}
    assert opens("y", both, nobody) == "a"
    assert opens("z", both, nobody) is None
    # Whoever has it keeps it, though it is in nobody's settings any more; where two have it one of them does.
    for have in ("a", "b", "c"):
        assert opens("x", {}, {**nobody, have: frozenset({"x"})}) == have
    two = {**nobody, "a": frozenset({"x"}), "b": frozenset({"x"})}
    assert opens("x", both, two) == heir(("", "x"), ["a", "b"])


def test_somebody_is_found_by_their_seat_or_by_what_is_known_of_them() -> None:
    known = Departed(KEY, 1.0, "ended", initial(DecisionConfig()))
    assert place_of(Lost(Seat(0, stated(KEY), "noon"), None)) == ("board", "ada")
    assert place_of(Lost(None, known)) == ("board", "ada")
    assert place_of(Lost(None, None)) is None


def test_of_whatever_is_said_of_somebody_it_is_known_of_which_call() -> None:
    known, message = Departed(KEY, 1.0, "ended", initial(DecisionConfig())), {"call": "board"}
    said: dict[str, Any] = {
        "seat": Seat(0, stated(KEY), "noon"),
        "claimed": stated(KEY),
        "state": {"message": message},
        "notice": {"message": message},
        "finding": {"finding": replace(finding(), key=KEY)},
        "checkpoint": {"known": known},
        "kept": known,
        "let_go": KEY,
        "ended": ("board", "ada"),
    }
    assert {call_of(op, body) for op, body in said.items()} == {"board"}
    assert {call_of(op, None) for op in ("whole", "leaving", "beat", "ways")} == {None}


def test_of_two_gateways_one_came_later_for_both() -> None:
    assert came_later(("12:01", "a"), ("12:00", "b"))
    assert came_later(("12:00", "b"), ("12:00", "a"))
    assert not came_later(("12:00", "a"), ("12:00", "b"))


def test_a_call_that_several_have_is_shown_once_with_everybody() -> None:
    own = [call("board", person("bob", False), muted=1.25), call("alone", person("cyd", True))]
    theirs = [call("board", person("ada", True), person("bob", True, "alert"), muted=0.5, not_watched=1.0)]
    alone, board = together([own, theirs, []])
    assert alone == own[1]
    assert [(who["participant"], who["verdict"]) for who in board["participants"]] == [
        ("ada", "genuine"),
        ("bob", "alert"),
    ]
    assert board["coverage"] == {
        "listed": 3,
        "watched": 2,
        "seconds": 7.0,
        "watched_seconds": 4.0,
        "unwatched_seconds": {"muted": 1.75, "not_watched": 1.0},
    }
    # The first one's word counts where neither watches them.
    first, second = [call("x", person("eve", False, "one"))], [call("x", person("eve", False, "two"))]
    assert together([first, second])[0]["participants"][0]["verdict"] == "one"
