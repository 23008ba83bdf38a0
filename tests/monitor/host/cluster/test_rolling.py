"""Which host is begun anew, and when the next may be."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.host.cluster.rolling import BEGIN_SECONDS, DRAIN_SECONDS, SETTLE_SECONDS, HostLook, Rolling, Turn

HERE = (HostLook(0, True, 1), HostLook(1, True, 1), HostLook(2, True, 1))
AWAY = replace(HERE[0], ready=False)
BACK = HostLook(0, True, 2)


def asked(*numbers: int) -> Rolling:
    return Rolling().ask(numbers, 10.0)


def test_one_after_the_other_and_each_once() -> None:
    rolling, number = asked(0, 2, 0).look(10.0, HERE, 0)
    assert (number, rolling.waiting, rolling.stale, rolling.over) == (0, (2,), frozenset({2}), False)
    # While it is away, and until those who were there are judged again, no other one is let go.
    for now, host, missing in ((11.0, HERE[0], 2), (12.0, AWAY, 2), (13.0, BACK, 1), (14.0, BACK, 1)):
        rolling, number = rolling.look(now, (host, *HERE[1:]), missing)
        assert (number, rolling.turn is not None) == (None, True)
    rolling, number = rolling.look(15.0, (BACK, *HERE[1:]), 0)
    assert (number, rolling.turn, rolling.done) == (None, None, (0,))
    rolling, number = rolling.look(15.25, (BACK, *HERE[1:]), 0)
    assert (number, rolling.waiting) == (2, ())
    there = (BACK, HERE[1], HostLook(2, True, 2))
    # Nobody waits for it: those who were moved are not waited for.
    rolling = rolling.look(16.0, there, 3)[0].look(16.0, there, 3)[0]
    assert (rolling.done, rolling.over, rolling.why) == ((0, 2), True, None)
    assert rolling.look(17.0, there, 0) == (rolling, None)
    assert rolling.ask([1], 20.0) == Rolling((1,), since=20.0)


def test_whoever_does_not_come_back_holds_nobody_up() -> None:
    rolling = replace(asked(1), turn=Turn(0, 10.0, 1, back=20.0))
    held = rolling.look(20.0 + SETTLE_SECONDS - 0.1, (BACK, *HERE[1:]), 1)[0]
    assert held == rolling
    assert held.look(20.0 + SETTLE_SECONDS, (BACK, *HERE[1:]), 1)[0].done == (0,)


def test_what_is_asked_for_in_between_is_taken_too() -> None:
    rolling, _ = asked(0, 1).look(10.0, HERE, 0)
    assert rolling.ask([2, 1, 0], 11.0).waiting == (1, 2)


def test_a_host_that_does_not_come_back_ends_it() -> None:
    rolling, _ = asked(0, 1, 2).look(10.0, HERE, 0)
    last = 10.0 + DRAIN_SECONDS + BEGIN_SECONDS
    rolling, _ = rolling.look(last, (AWAY, *HERE[1:]), 0)
    assert rolling.why is None
    rolling, number = rolling.look(last + 1.0, (AWAY, *HERE[1:]), 0)
    assert (rolling.over, number) == (True, None)
    assert rolling.why == "host 0 has not come back: see its log, and ask again once it judges"
    assert rolling.ask([1], 500.0).why is None


def test_none_is_let_go_while_another_is_away() -> None:
    rolling = asked(1)
    assert rolling.look(10.0 + BEGIN_SECONDS, (AWAY, *HERE[1:]), 0) == (rolling, None)
    assert rolling.look(11.0, HERE, 0)[1] == 1
    rolling, number = rolling.look(10.1 + BEGIN_SECONDS, (AWAY, *HERE[1:]), 0)
    assert (rolling.over, number) == (True, None)
    assert rolling.why == "host 0 does not judge, and no other is let go until it does: see its log"


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans(), st.floats(0.0, 90.0)), max_size=60))
def test_whatever_happens_at_most_one_is_away_for_it(events: list[tuple[int, bool, bool, float]]) -> None:
    hosts, rolling, now = list(HERE), Rolling(), 0.0
    for number, asks, is_ready, seconds in events:
        now += seconds
        begun = is_ready and not hosts[number].ready
        hosts[number] = HostLook(number, is_ready, hosts[number].starts + begun)
        if asks:
            rolling = rolling.ask([number], now)
        before = rolling
        rolling, let_go = rolling.look(now, hosts, 1)
        if let_go is not None:
            assert before.turn is None
            assert all(host.ready for host in hosts)
            assert rolling.turn == Turn(let_go, now, hosts[let_go].starts)
        assert rolling.turn is None or rolling.turn.number not in rolling.waiting
        assert len(set(rolling.waiting)) == len(rolling.waiting)
