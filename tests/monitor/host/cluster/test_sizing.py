"""What participants cost, how many still fit, and how many hosts would suit them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.host.cluster.sizing import DOWN_SECONDS, LOOK_SECONDS, UP_SECONDS, HostLoad, Sizing

ROOM = 100


def over(sizing: Sizing, seconds: float, hosts: list[HostLoad]) -> Sizing:
    """Look at the same again and again."""
    at, end = sizing.looked, sizing.looked + seconds
    while at < end:
        at += LOOK_SECONDS
        sizing = sizing.look(at, hosts, ROOM)
    return sizing


def first(hosts: list[HostLoad]) -> Sizing:
    return Sizing(0.7).look(0.0, hosts, ROOM)


def test_nothing_is_said_before_anything_is_measured() -> None:
    assert Sizing().due(0.0)
    for hosts in ([], [HostLoad(1.0, 0.1, 0)], [HostLoad(1.0, None, 2)]):
        sizing = first(hosts)
        assert (sizing.hints.hosts_wanted, sizing.hints.participants_fit) == (None, None)
        assert not sizing.due(LOOK_SECONDS - 0.1)
        assert sizing.due(LOOK_SECONDS)


def test_what_is_measured_says_what_fits() -> None:
    hints = first([HostLoad(1.0, 0.3, 1), HostLoad(1.0, 0.4, 1), HostLoad(1.0, 0.02, 0)]).hints
    # Two on a core at 0.35 each are 70 % of it.
    assert (hints.cores_per_participant, hints.participants_fit, hints.hosts_wanted) == (0.35, 4, 1)
    assert first([HostLoad(4.0, 1.4, 4)]).hints.participants_fit == 4
    # What is left on two hosts is not one place.
    assert first([HostLoad(1.0, 0.5, 1), HostLoad(1.0, 0.5, 1)]).hints.participants_fit == 0
    assert Sizing(1.0).look(0.0, [HostLoad(1.0, 0.5, 1)], ROOM).hints.participants_fit == 1
    # Nor what the settings do not allow.
    assert Sizing().look(0.0, [HostLoad(4.0, 0.1, 1)], 2).hints.participants_fit == 2
    assert Sizing().look(0.0, [HostLoad(4.0, 0.1, 1)], -1).hints.participants_fit == 0
    # A process that does nothing costs next to nothing, and that is no reason to divide by it.
    assert first([HostLoad(1.0, 0.0, 1)]).hints.participants_fit == ROOM


def test_a_host_that_does_not_keep_up_says_nothing_of_what_participants_cost() -> None:
    sizing = first([HostLoad(1.0, 0.35, 1)])
    after = over(sizing, 100.0, [HostLoad(1.0, 0.4, 4, strained=True)])
    assert after.hints.cores_per_participant == 0.35
    assert (after.hints.participants_fit, after.hints.hosts_wanted) == (0, 2)
    assert over(sizing, 30.0, []).hints == sizing.hints


def test_what_participants_cost_is_smoothed() -> None:
    sizing = first([HostLoad(1.0, 0.2, 1)])
    assert over(sizing, 5.0, [HostLoad(1.0, 0.6, 1)]).hints.cores_per_participant == pytest.approx(0.232, abs=0.001)
    assert over(sizing, 600.0, [HostLoad(1.0, 0.6, 1)]).hints.cores_per_participant == pytest.approx(0.6, abs=0.001)


def test_more_hosts_are_wanted_soon_and_fewer_late() -> None:
    few, many = [HostLoad(1.0, 0.35, 1)], [HostLoad(1.0, 0.7, 2), HostLoad(1.0, 0.7, 2)]
    sizing = first(few)
    assert sizing.hints.hosts_wanted == 1
    assert over(sizing, UP_SECONDS - LOOK_SECONDS, many).hints.hosts_wanted == 1
    grown = over(sizing, UP_SECONDS + LOOK_SECONDS, many)
    assert grown.hints.hosts_wanted == 2
    assert over(grown, DOWN_SECONDS - LOOK_SECONDS, few).hints.hosts_wanted == 2
    assert over(grown, DOWN_SECONDS + LOOK_SECONDS, few).hints.hosts_wanted == 1
    assert over(grown, DOWN_SECONDS + LOOK_SECONDS, [HostLoad(1.0, 0.0, 0)]).hints.hosts_wanted == 0
    # Who comes and goes in between is no reason for either.
    back = over(over(grown, DOWN_SECONDS - 60.0, few), LOOK_SECONDS, many)
    assert over(back, DOWN_SECONDS - 60.0, few).hints.hosts_wanted == 2


@given(st.lists(st.tuples(st.floats(5.0, 60.0), st.integers(0, 8), st.floats(0.0, 4.0)), min_size=1, max_size=80))
def test_the_hint_stays_within_what_was_wanted_lately(events: list[tuple[float, int, float]]) -> None:
    sizing, now = first([HostLoad(1.0, 0.5, 1)]), 0.0
    for seconds, participants, used in events:
        now += seconds
        sizing = sizing.look(now, [HostLoad(2.0, used, participants)], ROOM)
        raws = [n for _, n in sizing.lately]
        assert sizing.hints.hosts_wanted is not None
        assert sizing.hints.hosts_wanted >= 0
        assert len(raws) <= DOWN_SECONDS / LOOK_SECONDS + 2
