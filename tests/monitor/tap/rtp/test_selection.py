"""Several SSRCs of one media section: one is decoded at a time, the best there is, whatever the others do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.rtp.selection import SILENT_SECONDS, StreamSelector

LAYERS = (10, 20, 30)


def send(
    selector: StreamSelector,
    first: float,
    last: float,
    layers: tuple[int, ...] = LAYERS,
    is_sent: Callable[[int, float], bool] = lambda ssrc, at: True,
) -> list[int]:
    """Interleave 25 packets a second of each layer; the SSRCs that are decoded, in order."""
    decoded = []
    for n in range(round(first * 25), round(last * 25)):
        for place, ssrc in enumerate(layers):
            if is_sent(ssrc, n / 25) and selector.take(ssrc, n / 25 + place / 1000):
                decoded.append(ssrc)
    return decoded


def test_the_first_of_equals_stays() -> None:
    selector = StreamSelector(8)
    assert set(send(selector, 0, 10)) == {10}
    assert (selector.selected, selector.others) == (10, (20, 30))


def test_the_one_that_the_offer_names_is_preferred_once_it_has_lasted() -> None:
    selector = StreamSelector(8)
    selector.name([30])
    decoded = send(selector, 0, 4)
    assert decoded == sorted(decoded)
    assert set(decoded) == {10, 30}
    assert decoded.count(10) <= SILENT_SECONDS * 25 + 2


def test_the_one_with_sender_reports_is_preferred_to_those_without() -> None:
    selector = StreamSelector(8)
    send(selector, 0, 4)
    selector.report(20)
    # One more packet of 10 is there before the first of 20.
    assert set(send(selector, 4, 8)[1:]) == {20}
    selector.report(10)
    assert set(send(selector, 8, 12)) == {20}
    selector.name([10])
    assert set(send(selector, 12, 16)) == {10}


def test_another_takes_over_when_the_preferred_falls_silent_and_gives_back_when_it_returns() -> None:
    selector = StreamSelector(8)
    selector.name([10])
    decoded = send(selector, 0, 12, is_sent=lambda ssrc, at: ssrc != 10 or not 4 <= at < 8)
    changes = [ssrc for before, ssrc in zip([0, *decoded], decoded, strict=False) if ssrc != before]
    assert changes == [10, 20, 10]
    assert decoded.count(20) == pytest.approx(4 * 25, abs=2)


def test_one_that_comes_and_goes_is_not_changed_to() -> None:
    selector = StreamSelector(8)
    selector.name([10])
    assert set(send(selector, 0, 10, is_sent=lambda ssrc, at: ssrc != 10 or at % 1 == 0)) == {10, 20}
    assert set(send(selector, 10, 20, is_sent=lambda ssrc, at: ssrc != 10 or at % 1 == 0)) == {20}


def test_goodbye_is_not_waited_for() -> None:
    selector = StreamSelector(8)
    assert selector.take(10, 0.0)
    selector.leave(20)
    assert not selector.take(20, 0.01)
    selector.leave(10)
    assert selector.take(20, 0.02)
    assert not selector.take(10, 0.03)


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.0, 0.6), st.integers(0, 3)), max_size=200))
def test_nothing_makes_it_interleave_or_remember_without_end(events: list[tuple[int, float, int]]) -> None:
    """A change comes only after the decoded one was silent, or the new one has reports and has lasted."""
    selector, now, decoded = StreamSelector(8), 0.0, 0
    heard, since, reported = dict[int, float](), dict[int, float](), set[int]()
    for ssrc, passed, what in events:
        now += passed
        if what == 0:
            selector.report(ssrc)
            reported.add(ssrc)
        if now - heard.get(ssrc, float("-inf")) >= SILENT_SECONDS:
            since[ssrc] = now
        if selector.take(ssrc, now):
            if ssrc != decoded:
                silent = now - heard.get(decoded, float("-inf")) >= SILENT_SECONDS
                assert silent or (ssrc in reported and now - since[ssrc] >= SILENT_SECONDS)
                decoded = ssrc
            assert selector.selected == ssrc
        heard[ssrc] = now
        assert len(selector.others) <= 8
        assert selector.selected not in selector.others
