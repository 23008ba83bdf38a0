"""Times on another machine's clock."""

from __future__ import annotations

from monitor.decision.decide import DecisionConfig, initial
from monitor.decision.rejoin import Join
from monitor.host.cluster.clocks import departed_moved, past_moved
from monitor.host.departed import Departed, Past
from monitor.types import ParticipantKey

STATE = initial(DecisionConfig())
LEFT = Departed(ParticipantKey("board", "ada"), 100.0, "ended", STATE, joins=(Join(40.0, 0.0), Join(90.0, 12.0)))


def test_what_is_remembered_is_told_on_the_clock_of_who_is_told() -> None:
    there = departed_moved(LEFT, -30.0)
    assert there.left == 70.0
    # How much was judged is no time of a clock.
    assert there.joins == (Join(10.0, 0.0), Join(60.0, 12.0))
    assert departed_moved(there, 30.0) == LEFT
    past = Past(STATE, joins=LEFT.joins)
    assert past_moved(past, -30.0).joins == there.joins
    assert past_moved(past_moved(past, -30.0), 30.0) == past


def test_on_one_machine_there_is_one_clock() -> None:
    assert departed_moved(LEFT, 0.0) is LEFT
    past = Past(STATE)
    assert past_moved(past, 0.0) is past
