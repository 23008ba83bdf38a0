"""Quiet hours by the clocks of a place: across midnight, on some days, and where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.policy.quiet import is_quiet, told_when_quiet
from monitor.alerts.policy.rules import Kind, QuietHours, Sinks

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(22), time(7), BERLIN)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
times = st.times(time(0), time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0, fold=0))
zones = st.sampled_from(
    [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe")]
)


@settings(max_examples=200, deadline=None)
@given(times, times, zones, moments)
def test_every_moment_is_quiet_by_one_of_two_opposite_hours(
    begin: time, end: time, zone: ZoneInfo, now: datetime
) -> None:
    one, other = (is_quiet(QuietHours(a, b, zone), now) for a, b in ((begin, end), (end, begin)))
    assert (one or other) if begin == end else one != other


@settings(max_examples=200, deadline=None)
@given(times, times, zones, moments)
def test_what_clocks_show_is_what_counts(begin: time, end: time, zone: ZoneInfo, now: datetime) -> None:
    shown = now.astimezone(zone).time()
    within = begin <= shown < end if begin < end else shown >= begin or shown < end
    assert is_quiet(QuietHours(begin, end, zone), now) == within


@settings(max_examples=100, deadline=None)
@given(times, times, st.sets(st.integers(0, 6)), moments)
def test_hours_across_midnight_belong_to_the_day_on_which_they_began(
    begin: time, end: time, days: set[int], now: datetime
) -> None:
    hours = QuietHours(begin, end, BERLIN, frozenset(days))
    by_day = [is_quiet(QuietHours(begin, end, BERLIN, frozenset({day})), now) for day in range(7)]
    assert is_quiet(hours, now) == any(by_day[day] for day in days)
    assert sum(by_day) <= 2


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        # Clocks go forward on 29 March at 2:00 and back on 25 October at 3:00.
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 4, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 5, 0, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 5, 59, tzinfo=UTC), True),
        (datetime(2026, 10, 25, 6, 0, tzinfo=UTC), False),
        (datetime(2026, 10, 24, 20, 0, tzinfo=UTC), True),
        (datetime(2026, 10, 24, 19, 59, tzinfo=UTC), False),
    ],
)
def test_the_night_of_a_change_is_as_long_as_its_clocks_say(moment: datetime, quiet: bool) -> None:
    assert is_quiet(NIGHT, moment) is quiet


def test_an_hour_that_clocks_show_twice_is_quiet_twice_and_one_that_they_skip_never() -> None:
    twice = QuietHours(time(2), time(3), BERLIN)
    began = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert sum(is_quiet(twice, began + timedelta(minutes=minute)) for minute in range(180)) == 120
    began = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert not any(is_quiet(twice, began + timedelta(minutes=minute)) for minute in range(180))


def test_only_alerts_are_told_while_it_is_quiet() -> None:
    usual, few = Sinks(frozenset({"soc", "pager"})), Sinks(frozenset({"pager"}))
    assert told_when_quiet(NIGHT, Kind.FINDING, usual) == usual
    assert told_when_quiet(QuietHours(time(22), time(7), BERLIN, alert=few), Kind.FINDING, usual) == few
    assert told_when_quiet(NIGHT, Kind.SUSPICION, usual) == Sinks()
    assert told_when_quiet(NIGHT, Kind.UNVERIFIED, usual) == Sinks()
