"""How much of a call is watched: a state machine in made time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.host.coverage import KEPT_SECONDS, MAX_IN_CALL, MAX_SPANS, OBSTACLES, Change, Coverage, Outcome, Watch
from monitor.types import Reason

ADA, BOB = ("board", "ada"), ("board", "bob")
JANUS, ZOOM = 0, 1


@dataclass
class Told:
    """A coverage, and everything that was told of it: who, what, for which reason, after how long."""

    coverage: Coverage = field(default_factory=Coverage)
    changes: list[Change] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        self.coverage, changes = outcome
        self.changes += changes

    def at(self, place: tuple[str, str] = ADA) -> Watch:
        return self.coverage.people[place]

    @property
    def said(self) -> list[tuple[str, str, str, float]]:
        return [(one.place[1], one.action, str(one.reason), one.at - one.since) for one in self.changes]

    def judged(self, now: float = 0.0, reason: str | None = None) -> None:
        self.take(self.coverage.judged(ADA, now))
        self.take(self.coverage.hop(ADA, now, reason, scored=True))


def test_who_is_judged_is_watched_from_the_first_hop() -> None:
    told = Told()
    told.take(told.coverage.judged(ADA, 1.0))
    assert told.at().reason is Reason.WAITING_FOR_PUBLISHER
    told.take(told.coverage.hop(ADA, 2.0, "warming_up", scored=False))
    assert told.at().reason is None
    assert told.at().seconds_by_reason(5.0) == {Reason.WAITING_FOR_PUBLISHER: 1.0, None: 3.0}
    assert told.coverage.hop(ADA, 3.0, "silence", scored=False) == (told.coverage, ())
    told.take(told.coverage.ended(ADA, 6.0))
    assert not told.at().here
    assert told.at().seconds_by_reason(100.0) == {Reason.WAITING_FOR_PUBLISHER: 1.0, None: 4.0}
    assert told.said == []
    assert told.coverage.calls() == set()


@pytest.mark.parametrize(("said", "reason"), OBSTACLES.items())
def test_what_keeps_media_from_being_seen_is_told_after_two_seconds(said: str, reason: Reason) -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.hop(ADA, 10.0, said, scored=False))
    assert told.coverage.due == 12.0
    told.take(told.coverage.advance(12.0))
    assert told.said == []
    told.take(told.coverage.advance(12.5))
    told.take(told.coverage.advance(13.0))
    assert told.said == [("ada", "began", str(reason), 2.5)]
    assert told.coverage.due is None
    told.take(told.coverage.hop(ADA, 15.0, "silence", scored=False))
    assert told.said[1:] == [("ada", "resumed", str(reason), 5.0)]
    assert told.at().seconds_by_reason(16.0) == {None: 11.0, reason: 5.0}


def test_a_short_gap_is_not_told() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.hop(ADA, 10.0, "overloaded", scored=False))
    told.take(told.coverage.hop(ADA, 11.9, None, scored=True))
    told.take(told.coverage.advance(20.0))
    assert told.said == []


def test_one_gap_is_told_once_whatever_its_reasons_are() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.hop(ADA, 10.0, "no_video", scored=False))
    told.take(told.coverage.hop(ADA, 11.5, "media_stalled", scored=False))
    told.take(told.coverage.advance(12.5))
    told.take(told.coverage.hop(ADA, 13.0, "overloaded", scored=False))
    told.take(told.coverage.advance(20.0))
    told.take(told.coverage.hop(ADA, 21.0, None, scored=True))
    assert told.said == [
        ("ada", "began", "waiting_for_publisher", 2.5),
        ("ada", "resumed", "waiting_for_publisher", 11.0),
    ]
    assert [(span.since, span.until, span.reason) for span in told.at().spans[-3:]] == [
        (10.0, 11.5, Reason.CAMERA_OFF),
        (11.5, 13.0, Reason.WAITING_FOR_PUBLISHER),
        (13.0, 21.0, Reason.NOT_WATCHED),
    ]


def test_who_leaves_meanwhile_is_told_to_have_left() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.hop(ADA, 10.0, "no_video", scored=False))
    told.take(told.coverage.advance(13.0))
    told.take(told.coverage.ended(ADA, 14.0))
    told.take(told.coverage.ended(ADA, 15.0))
    told.take(told.coverage.ended(BOB, 15.0))
    assert told.said[1:] == [("ada", "left", "camera_off", 4.0)]


def test_whom_the_platform_lists_is_here_with_the_reason() -> None:
    told = Told()
    told.take(told.coverage.listed(JANUS, "board", {"ada": Reason.PHONE_AUDIO_ONLY, "bob": None}, 0.0))
    assert [told.at(place).reason for place in (ADA, BOB)] == [Reason.PHONE_AUDIO_ONLY, Reason.NOT_WATCHED]
    told.take(told.coverage.advance(3.0))
    assert {one[:3] for one in told.said} == {("ada", "began", "phone_audio_only"), ("bob", "began", "not_watched")}
    told.take(told.coverage.listed(JANUS, "board", {"bob": Reason.MUTED}, 4.0))
    assert told.said[2:] == [("ada", "left", "phone_audio_only", 4.0)]
    assert told.at(BOB).reason is Reason.MUTED
    # What another platform lists, or another call, is its own.
    told.take(told.coverage.listed(ZOOM, "board", {}, 5.0))
    told.take(told.coverage.listed(JANUS, "other", {}, 5.0))
    assert told.at(BOB).here
    told.take(told.coverage.closed(JANUS, 6.0))
    assert told.coverage.calls() == set()


def test_what_is_scored_was_seen_whatever_the_platform_says() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.listed(JANUS, "board", {"ada": Reason.MUTED}, 1.0))
    assert told.at().reason is None
    told.take(told.coverage.hop(ADA, 2.0, "silence", scored=False))
    assert told.at().reason is Reason.MUTED
    # Who is judged no more is listed still.
    told.take(told.coverage.ended(ADA, 3.0))
    assert told.at().here
    told.take(told.coverage.listed(JANUS, "board", {"ada": None}, 4.0))
    assert told.at().reason is Reason.NOT_WATCHED


def test_a_way_in_that_breaks_takes_nobody_out_of_the_call() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.listed(JANUS, "board", {"bob": Reason.CAMERA_OFF}, 1.0))
    told.take(told.coverage.lost(JANUS, (ADA,), 10.0))
    told.take(told.coverage.ended(ADA, 10.5))
    assert [told.at(place).reason for place in (ADA, BOB)] == [Reason.SOURCE_LOST] * 2
    told.take(told.coverage.advance(13.0))
    assert ("ada", "began", "source_lost", 2.5) in told.said
    told.take(told.coverage.judged(ADA, 15.0))
    told.take(told.coverage.hop(ADA, 15.5, "warming_up", scored=False))
    assert told.said[-1] == ("ada", "resumed", "source_lost", 5.0)
    told.take(told.coverage.ended(ADA, 16.0))
    assert not told.at().here


def test_a_host_that_is_gone_is_told_at_once_and_takes_nobody_out_of_the_call() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.listed(JANUS, "board", {"ada": None}, 1.0))
    told.take(told.coverage.host_lost(-1, (ADA, BOB), 10.0))
    assert told.said == [("ada", "began", "host_lost", 0.0)]
    assert BOB not in told.coverage.people
    told.take(told.coverage.advance(13.0))
    told.take(told.coverage.host_lost(-1, (ADA,), 14.0))
    assert len(told.said) == 1
    told.take(told.coverage.judged(ADA, 15.0))
    told.take(told.coverage.hop(ADA, 15.5, "warming_up", scored=False))
    assert told.said[1:] == [("ada", "resumed", "host_lost", 5.5)]
    told.take(told.coverage.ended(ADA, 16.0))
    assert not told.at().here


def test_who_never_comes_back_from_a_host_that_is_gone_has_left() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.host_lost(-1, (ADA,), 10.0))
    told.take(told.coverage.advance(10.0 + KEPT_SECONDS))
    assert told.said[1:] == [("ada", "left", "host_lost", KEPT_SECONDS)]


def test_who_is_lost_for_good_is_let_go_of() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.lost(JANUS, (ADA,), 10.0))
    told.take(told.coverage.ended(ADA, 10.0))
    told.take(told.coverage.advance(13.0))
    assert told.coverage.due == 10.0 + KEPT_SECONDS
    told.take(told.coverage.advance(10.0 + KEPT_SECONDS))
    assert told.said[1:] == [("ada", "left", "source_lost", KEPT_SECONDS)]
    assert told.coverage.due == 10.0 + 2 * KEPT_SECONDS
    told.take(told.coverage.advance(10.0 + 2 * KEPT_SECONDS))
    assert told.coverage.people == {}


def test_who_comes_back_goes_on_with_what_was_before() -> None:
    told = Told()
    told.judged()
    told.take(told.coverage.ended(ADA, 10.0))
    told.judged(now=100.0)
    assert told.at().seconds_by_reason(105.0)[None] == 15.0
    assert told.coverage.calls() == {"board"}


def test_it_is_bounded() -> None:
    told = Told()
    many: dict[str, Reason | None] = {f"p{number}": None for number in range(MAX_IN_CALL + 5)}
    told.take(told.coverage.listed(JANUS, "board", many, 0.0))
    assert len(told.coverage.of("board")) == MAX_IN_CALL
    told.judged()
    for number in range(3 * MAX_SPANS):
        told.take(told.coverage.hop(ADA, 1.0 + number, ("no_video", "silence")[number % 2], scored=False))
    assert len(told.at().spans) == MAX_SPANS
    assert sum(told.at().seconds_by_reason(100.0).values()) == pytest.approx(100.0)


EVENTS: dict[str, Callable[[Coverage, float], Outcome]] = {
    "judged": lambda coverage, now: coverage.judged(ADA, now),
    "ended": lambda coverage, now: coverage.ended(ADA, now),
    "no video": lambda coverage, now: coverage.hop(ADA, now, "no_video", scored=False),
    "silence": lambda coverage, now: coverage.hop(ADA, now, "silence", scored=False),
    "score": lambda coverage, now: coverage.hop(ADA, now, None, scored=True),
    "listed": lambda coverage, now: coverage.listed(JANUS, "board", {"ada": Reason.MUTED}, now),
    "unlisted": lambda coverage, now: coverage.listed(JANUS, "board", {}, now),
    "lost": lambda coverage, now: coverage.lost(JANUS, (ADA,), now),
    "closed": lambda coverage, now: coverage.closed(JANUS, now),
    "waited": lambda coverage, now: coverage.advance(now),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.sampled_from((0.0, 0.5, 3.0, 700.0))), max_size=40))
def test_what_is_told_alternates_and_time_adds_up(events: list[tuple[str, float]]) -> None:
    told, now, here = Told(), 0.0, 0.0
    for event, pause in events:
        if ADA in told.coverage.people and told.at().here:
            here += pause
        now += pause
        told.take(EVENTS[event](told.coverage, now))
        if ADA in told.coverage.people:
            assert sum(told.at().seconds_by_reason(now).values()) == pytest.approx(here)
        else:
            here = 0.0
    actions = [change.action for change in told.changes]
    assert actions[::2] == ["began"] * len(actions[::2])
    assert "began" not in actions[1::2]


def test_a_call_is_forgotten_and_who_was_missed_in_it_has_left() -> None:
    told = Told()
    told.take(told.coverage.listed(1, "board", {"ada": Reason.CAMERA_OFF}, 0.0))
    told.take(told.coverage.listed(1, "other", {"eve": Reason.CAMERA_OFF}, 0.0))
    told.take(told.coverage.advance(5.0))
    told.take(told.coverage.forget("board", 6.0))
    assert [place[0] for place in told.coverage.people] == ["other"]
    assert told.said[-1][:2] == ("ada", "left")
