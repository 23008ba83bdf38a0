"""Whose turn it is: protected people first, nobody left out, whole turns."""

from __future__ import annotations

from random import Random

from plugins.protocols.zoom.turns import Candidate, Turns

DWELL = 20.0
ADA, BOB, CY = Candidate(1, claims=True), Candidate(2), Candidate(3)
DEE = Candidate(4, claims=True)


def sequence(people: list[Candidate], count: int, speaker: int | None = None) -> list[int | None]:
    """Who is watched in turns that follow each other."""
    turns, seen = Turns(DWELL), list[int | None]()
    for n in range(count):
        turns = turns.advance(n * DWELL, people, speaker)
        seen.append(turns.watched)
    return seen


def test_nobody_is_watched_where_nobody_is_to_be_seen() -> None:
    turns = Turns(DWELL).advance(5.0, [], None)
    assert (turns.watched, turns.due) == (None, None)


def test_protected_people_have_every_second_turn_at_least_and_nobody_is_left_out() -> None:
    assert sequence([BOB, CY, ADA], 6) == [1, 2, 1, 3, 1, 2]
    assert sequence([BOB, DEE, ADA], 6) == [4, 1, 2, 4, 1, 2]
    assert sequence([ADA], 3) == [1, 1, 1]
    assert sequence([ADA, DEE], 4) == [1, 4, 1, 4]


def test_who_had_no_turn_comes_before_whoever_speaks_and_they_before_who_waits() -> None:
    assert sequence([BOB, CY, Candidate(5)], 7, speaker=3) == [3, 2, 5, 3, 3, 3, 3]
    assert sequence([BOB, CY], 5) == [2, 3, 2, 3, 2]


def test_a_turn_lasts_unless_there_is_nothing_to_see_any_more() -> None:
    turns = Turns(DWELL).advance(100.0, [BOB], None)
    assert turns.due == 120.0
    # Somebody protected joins, and somebody speaks: the turn is not cut short.
    assert turns.advance(119.9, [BOB, CY, ADA], 3) is turns
    assert turns.advance(120.0, [BOB, CY, ADA], 3).watched == 1
    gone = turns.advance(105.0, [CY], None)
    assert (gone.watched, gone.since) == (3, 105.0)
    # A turn that was cut short was none.
    assert gone.advance(125.0, [BOB, CY], None).watched == 2


def test_whatever_happens_turns_are_whole_and_protected_people_are_not_left_waiting() -> None:
    random = Random(7)
    people = [Candidate(n, claims=n % 5 == 0) for n in range(1, 12)]
    for _ in range(200):
        turns, now, since = Turns(DWELL), 0.0, dict[int, float]()
        for _ in range(60):
            now += random.uniform(0.5, 15.0)
            here = [one for one in people if random.random() < 0.9]
            before, turns = turns, turns.advance(now, here, random.choice([None, 1, 7]))
            present = {one.user for one in here}
            assert turns.watched in present or not here
            if before.watched != turns.watched and before.watched in present:
                assert now - before.since >= DWELL
            for one in here:
                since.setdefault(one.user, now)
            since = {user: at for user, at in since.items() if user in present and user != turns.watched}
