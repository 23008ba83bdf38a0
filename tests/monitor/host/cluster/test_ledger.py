"""What a gateway knows of those who are judged elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from monitor.alerts.finding import OpenFinding
from monitor.decision.decide import DecisionConfig, initial
from monitor.host.cluster.ledger import Ledger
from monitor.host.departed import Departed, Past
from monitor.identity.claimed import Claimed, stated
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import finding

ADA = ParticipantKey("board", "p1", "Ada")
PLACE = ("board", "p1")
STATE = initial(DecisionConfig())
FACE = np.ones((3, 4), np.float32)


def known(judged: float = 1.0, **more: Any) -> Departed:
    return Departed(ADA, 5.0, "ended", replace(STATE, judged=judged), **more)


def said(verdict: str = "alert", time: str = "noon", participant: str = "p1") -> dict[str, Any]:
    entry = {"scores": {"synchrony": {}}, "statistic": 1.0, "threshold": 2.0, "quality": {"fps": 30.0}}
    place = {"type": "state", "call": "board", "participant": participant, "time": time}
    return {**place, "verdict": verdict, "reason": None, **entry}


def seated() -> Ledger:
    ledger = Ledger()
    ledger.judged(0, stated(ADA), "morning")
    return ledger


def test_somebody_is_described_by_what_was_said_last() -> None:
    ledger = seated()
    assert ledger.describe("other") == {}
    entry = ledger.describe("board")["p1"]
    assert (entry["verdict"], entry["reason"], entry["since"]) == ("inconclusive", "connecting", "morning")
    assert ledger.said(0, said())
    assert ledger.said(0, said(time="later"))
    entry = ledger.describe("board")["p1"]
    assert (entry["verdict"], entry["since"], entry["identity"], entry["claim"]) == ("alert", "noon", "Ada", "stated")
    assert entry["quality"] == {"fps": 30.0}


def test_words_of_another_host_are_not_heard() -> None:
    ledger = seated()
    assert not ledger.said(1, said())
    assert not ledger.said(0, said(participant="p2"))
    ledger.checkpoint(1, known(), None)
    ledger.found(1, finding())
    ledger.claimed(1, Claimed(ADA, "Eve"))
    assert not ledger.ended(1, PLACE)
    seat = ledger.seat(PLACE)
    assert seat is not None
    assert (seat.known, seat.finding, seat.claimed.name) == (None, None, None)
    assert list(ledger.lost(1, 9.0, "host_lost")) == []
    assert ledger.ended(0, PLACE)
    assert not ledger.ended(0, PLACE)
    assert len(ledger) == 0


def test_what_was_known_last_is_remembered_with_the_finding_that_was_told_last() -> None:
    ledger = seated()
    ledger.checkpoint(0, known(1.0, face=FACE), "p0")
    ledger.found(0, finding("e", 0))
    ledger.found(0, finding("e", 1, "updated"))
    # Said of the moment before the finding was told.
    ledger.checkpoint(0, known(2.0), "p0")
    ledger.claimed(0, Claimed(ADA, "Ada of the platform"))
    assert ledger.describe("board")["p1"]["continues"] == "p0"
    (lost,) = ledger.lost(0, 9.0, "host_lost")
    assert lost.seat is not None
    assert lost.seat.claimed.name == "Ada of the platform"
    assert lost.known is not None
    assert (lost.known.left, lost.known.reason, lost.known.state.judged) == (9.0, "host_lost", 2.0)
    assert lost.known.finding == OpenFinding("e", 2)
    assert lost.known.face is FACE
    assert len(ledger) == 0


def test_a_finding_that_was_closed_is_not_open() -> None:
    ledger = seated()
    ledger.found(0, finding("e", 0))
    ledger.found(0, finding("e", 1, "closed"))
    (lost,) = ledger.lost(0, 9.0, "host_lost")
    assert lost.known is None
    assert lost.seat is not None
    assert lost.seat.finding is None


def test_what_was_given_to_a_host_comes_back_whether_or_not_they_were_judged() -> None:
    past = Past(replace(STATE, judged=7.0), OpenFinding("e", 3))
    for is_judged in (False, True):
        ledger = Ledger()
        ledger.begins(0, ADA, past, 1.0, "host_lost")
        if is_judged:
            ledger.judged(0, stated(ADA), "noon")
        (lost,) = ledger.lost(0, 9.0, "host_lost")
        assert (lost.seat is not None) is is_judged
        assert lost.known is not None
        assert (lost.known.left, lost.known.state.judged, lost.known.finding) == (9.0, 7.0, OpenFinding("e", 3))


def test_of_whom_nothing_is_known_nothing_waits() -> None:
    ledger = Ledger()
    ledger.begins(0, ADA, Past(), 1.0, "host_lost")
    assert ledger.lost(0, 9.0, "host_lost") == []


def test_what_another_host_was_given_is_not_theirs() -> None:
    ledger = Ledger()
    ledger.begins(1, ADA, Past(STATE, OpenFinding("e", 3)), 1.0, "host_lost")
    ledger.judged(0, stated(ADA), "noon")
    seat = ledger.seat(PLACE)
    assert seat is not None
    assert seat.finding is None


def test_who_claims_somebody_else_goes_on_with_what_was_known_of_that_claim() -> None:
    ledger = seated()
    ledger.found(0, finding("e", 0))
    ledger.begins(0, ADA, Past(replace(STATE, judged=7.0)), 1.0, "host_lost")
    seat = ledger.seat(PLACE)
    assert seat is not None
    assert seat.finding is None
    assert seat.known is not None
    assert seat.known.state.judged == 7.0


def test_those_of_a_host_are_counted_by_call() -> None:
    ledger = seated()
    ledger.judged(0, stated(ParticipantKey("board", "p2")), "noon")
    ledger.judged(0, stated(ParticipantKey("other", "p1")), "noon")
    ledger.judged(1, stated(ParticipantKey("board", "p3")), "noon")
    assert ledger.counts(0) == {"board": 2, "other": 1}
    assert sorted(ledger.on(0)) == [("board", "p1"), ("board", "p2"), ("other", "p1")]
    assert ledger.counts(2) == {}


def test_a_seat_is_taken_as_it_is() -> None:
    ledger, seat = Ledger(), seated().seat(PLACE)
    assert seat is not None
    assert ledger.seated(seat) is seat
    assert (ledger.seats(), ledger.seat(PLACE)) == ([seat], seat)


def test_since_when_somebody_is_judged_changes_with_no_verdict() -> None:
    ledger = seated()
    assert ledger.said(0, said(time="noon"))
    seat = ledger.seat(PLACE)
    assert seat is not None
    assert (seat.since, seat.began) == ("noon", "morning")
    ledger.judged(0, stated(ADA), "evening")
    seat = ledger.seat(PLACE)
    assert seat is not None
    assert seat.began == "evening"
