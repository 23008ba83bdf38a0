"""A sender that sends nothing says so in its reports; media that are lost on the way are no silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.rtp.sent import PAUSE_SECONDS, REPORT_PATIENCE_SECONDS, SentPackets

WRAP = 1 << 32


def speaking(first: int = 0, missed: int = 0, every: float = 1.0) -> SentPackets:
    """Ten seconds of 50 packets a second from the `first` on, of which the first `missed` were not seen here."""
    sent, reported = SentPackets(), 0.0
    for n in range(500):
        sent.note(n / 50)
        if n / 50 - reported >= every:
            reported = n / 50
            sent.report((first + missed + n + 1) % WRAP, n + 1, n / 50)
    return sent


@given(st.sampled_from([0, WRAP - 300]), st.integers(0, 5000), st.sampled_from([0.5, 1.0, 4.0]))
def test_one_report_in_the_pause_says_it(first: int, missed: int, every: float) -> None:
    sent = speaking(first, missed, every)
    assert not sent.is_silent(10.0)
    sent.report((first + missed + 500) % WRAP, 500, 11.0)
    assert sent.is_silent(11.0)
    assert sent.is_silent(11.0 + REPORT_PATIENCE_SECONDS)
    assert not sent.is_silent(11.1 + REPORT_PATIENCE_SECONDS)
    sent.note(12.0)
    assert not sent.is_silent(12.0)


def test_packets_that_were_sent_and_did_not_come_are_no_silence() -> None:
    sent = speaking()
    sent.report(550, 500, 11.0)
    assert not sent.is_silent(11.0)
    sent.report(600, 500, 12.0)
    assert not sent.is_silent(12.0)


def test_where_the_last_packets_before_a_pause_are_lost_the_second_report_says_it() -> None:
    sent = speaking()
    sent.report(503, 500, 11.0)
    assert not sent.is_silent(11.0)
    sent.report(503, 500, 12.0)
    assert sent.is_silent(12.0)


def test_silence_ends_with_the_report_that_says_so() -> None:
    sent = speaking()
    sent.report(500, 500, 11.0)
    assert sent.is_silent(11.5)
    sent.report(550, 500, 12.0)
    assert not sent.is_silent(12.0)


def test_a_report_while_packets_come_says_nothing() -> None:
    sent = speaking()
    sent.report(500, 500, 9.98 + PAUSE_SECONDS / 2)
    assert not sent.is_silent(10.2)


def test_without_a_report_before_two_in_the_pause_are_needed() -> None:
    sent = SentPackets()
    sent.note(0.0)
    sent.report(77, 1, 1.0)
    assert not sent.is_silent(1.0)
    sent.report(77, 1, 2.0)
    assert sent.is_silent(2.0)
