"""What is known of another gateway by its own words, and what is left of it when it is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.alerts.finding import OpenFinding
from monitor.decision.decide import DecisionConfig, initial
from monitor.decision.words import HOST_LOST
from monitor.host.cluster.ledger import Seat
from monitor.host.departed import Departed
from monitor.host.peers.peer_view import MAX_RECENT, PeerView
from monitor.identity.claimed import Claimed, stated
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import finding

ADA, BOB = ParticipantKey("board", "p1", "Ada"), ParticipantKey("board", "bob")
PLACE = ("board", "p1")
STATE = initial(DecisionConfig())
SEAT = Seat(3, stated(ADA), "morning")


def known(key: ParticipantKey = ADA, left: float = 5.0) -> Departed:
    return Departed(key, left, "ended", STATE)


def view(**more: Any) -> PeerView:
    made = PeerView("other", behind=100.0, **more)
    made.take("seat", SEAT)
    made.take("whole", None)
    return made


def test_who_is_judged_there_is_known_until_they_are_not() -> None:
    made = view()
    assert made.seat(PLACE) == replace(SEAT, host=0)
    made.take("claimed", Claimed(ADA, "Ada L."))
    seat = made.seat(PLACE)
    assert seat is not None
    assert seat.claimed.name == "Ada L."
    made.take("seat", replace(SEAT, known=known()))
    seat = made.seat(PLACE)
    assert seat is not None
    assert seat.known is not None
    assert seat.known.left == 105.0
    made.take("ended", PLACE)
    assert made.seat(PLACE) is None


def test_whom_it_remembers_is_known_by_name_until_it_lets_go() -> None:
    made = view()
    made.take("kept", known(BOB))
    assert made.keeps(("board", "bob"))
    assert not made.keeps(PLACE)
    assert made.kept[BOB].left == 105.0
    made.take("let_go", BOB)
    made.take("let_go", BOB)
    assert not made.keeps(("board", "bob"))


def test_it_takes_somebody_as_a_host_does_once_it_has_told_everything() -> None:
    made = PeerView("other")
    made.take("beat", {"open": True, "full": False, "cores": 4.0})
    assert (made.host(2).open, made.heir) == (False, False)
    made.take("seat", SEAT)
    made.take("whole", None)
    host = made.host(2)
    assert (host.number, host.open, host.full, host.judged, host.calls, host.cores) == (
        *(2, True, False, 1),
        *({"board": 1}, 4.0),
    )
    made.take("beat", {"open": False, "full": True, "cores": 4.0})
    assert (made.host(2).open, made.host(2).full, made.heir) == (False, True, True)
    made.take("leaving", None)
    assert (made.host(2).open, made.heir) == (False, False)


def test_what_is_left_of_it_is_what_it_said_last() -> None:
    made = view()
    message = {"call": "board", "participant": "p1", "time": "noon", "verdict": "alert", "reason": None}
    shown: dict[str, Any] = {"scores": {}, "statistic": None, "threshold": None, "quality": {}}
    made.take("state", {"message": {**message, **shown}, "at": 1.0})
    made.take("checkpoint", {"known": known(), "continues": "eve"})
    made.take("finding", {"finding": finding(), "at": 2.0})
    made.take("kept", known(BOB))
    assert [(one.id, at) for one, at in made.recent] == [(finding().id, 102.0)]
    judged, kept = made.lost(200.0, HOST_LOST)
    assert judged.seat is not None
    assert (judged.seat.entry["verdict"], judged.seat.continues) == ("alert", "eve")
    assert judged.known is not None
    assert (judged.known.left, judged.known.reason) == (200.0, "host_lost")
    assert judged.known.finding == OpenFinding(finding().id, finding().step + 1)
    assert kept.seat is None
    assert kept.known is not None
    assert (kept.known.key, kept.known.left) == (BOB, 105.0)
    assert made.lost(201.0, HOST_LOST) == []


def test_findings_that_it_told_of_long_ago_are_not_kept() -> None:
    made = view()
    for step in range(MAX_RECENT + 5):
        made.take("finding", {"finding": finding(step=step), "at": 2.0})
    assert [one.step for one, _ in made.recent][:1] == [5]


def test_of_its_ways_in_it_is_known_which_it_has_opened() -> None:
    made = view()
    assert (made.configured, made.claimed) == (frozenset(), frozenset())
    made.take("ways", {"configured": ["x", "y"], "claimed": ["y"]})
    assert (sorted(made.configured), sorted(made.claimed)) == (["x", "y"], ["y"])


def test_what_nobody_knows_here_is_not_taken() -> None:
    with pytest.raises(LookupError, match="nobody knows"):
        view().take("sing", None)
