"""Where somebody is judged."""

from __future__ import annotations

from monitor.host.cluster.placement import AT_EASE, HostView, places, share


def test_the_emptiest_host_is_first() -> None:
    hosts = [HostView(0, judged=2), HostView(1, judged=1), HostView(2, judged=3)]
    assert places(hosts, "board") == [1, 0, 2]


def test_a_call_stays_together_as_long_as_its_host_is_at_ease() -> None:
    there = HostView(0, judged=AT_EASE - 1, calls={"board": 1})
    assert places([there, HostView(1)], "board") == [0, 1]
    assert places([there, HostView(1)], "other") == [1, 0]
    busy = HostView(0, judged=AT_EASE, calls={"board": 1})
    assert places([busy, HostView(1)], "board") == [1, 0]
    assert places([HostView(0, judged=AT_EASE, calls={"board": 1}, cores=2.0), HostView(1)], "board") == [0, 1]


def test_one_that_is_too_slow_is_last_and_one_that_is_closed_is_none() -> None:
    hosts = [HostView(0, full=True, calls={"board": 1}), HostView(1, judged=5), HostView(2, open=False)]
    assert places(hosts, "board") == [1, 0]
    assert places([], "board") == []


def test_whoever_is_placed_is_not_moved_again_soon() -> None:
    """While hosts are begun anew those that were are taken first, unless they are too slow."""
    hosts = [HostView(0, stale=True, calls={"board": 1}, judged=1), HostView(1, judged=3)]
    assert places(hosts, "board") == [1, 0]
    assert places([hosts[0], HostView(1, full=True)], "board") == [0, 1]
    assert share(hosts, {1: 5}) == 1
    assert share(hosts[:1], {}) == 0


def test_ways_in_are_shared() -> None:
    hosts = [HostView(0), HostView(1), HostView(2, open=False)]
    assert share(hosts, {0: 1}) == 1
    assert share(hosts, {0: 1, 1: 1}) == 0
    assert share([HostView(2, open=False)], {}) is None
