"""What is older than its time to live goes, and the chains that are left hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.alerts.casework.events import EventKind, NewEvent
from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.privacy.retention import sweeps
from tests.monitor.alerts.build import finding, ready_journal

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = ready_journal(tmp_path)
    yield made
    made.close()


def numbers(journal: Journal) -> list[int]:
    return [row.seq for row in journal.read(0) if isinstance(row, Entry)]


def test_findings_older_than_their_time_go_and_no_other(journal: Journal) -> None:
    for days in (90, 40, 31, 29, 35, 1):
        journal.append(replace(finding(f"of-{days}"), time=NOW - days * DAY))
    [sweep] = sweeps(journal, Casework(journal), 30, None, lambda: NOW)
    assert sweep.run() == 3
    # One that is older stands behind one that is not: it stays until that goes too.
    assert numbers(journal) == [4, 5, 6]
    assert (journal.head().seq, journal.head().pruned) == (6, 3)
    assert journal.verify().faults == ()
    assert sweep.run() == 0
    assert journal.append(finding("next")) == 7
    assert journal.verify().faults == ()


def test_when_all_have_gone_the_numbers_go_on(journal: Journal) -> None:
    for n in range(3):
        journal.append(replace(finding(str(n)), time=NOW - 90 * DAY))
    assert journal.forget_before(NOW) == 3
    assert numbers(journal) == []
    assert journal.verify().faults == ()
    assert journal.append(replace(finding("next"), time=NOW)) == 4
    assert journal.verify().faults == ()


def test_case_events_go_and_a_case_without_any_is_one_that_nobody_touched(journal: Journal) -> None:
    times = iter([NOW - 90 * DAY, NOW - DAY])
    casework = Casework(journal, clock=lambda: next(times))
    for name in ("old", "new"):
        casework.append(NewEvent(name, EventKind.NOTED, "ann", {"text": "seen"}))
    [sweep] = sweeps(journal, casework, None, 30, lambda: NOW)
    assert sweep.run() == 1
    assert [event.finding for event in casework.read()] == ["new"]
    assert casework.verify().faults == ()
    with journal.transaction() as connection:
        assert connection.exec_driver_sql("SELECT finding FROM case_states").scalars().all() == ["new"]
    assert casework.forget_before(NOW) == 1
    assert casework.verify().faults == ()


def test_without_a_time_to_live_nothing_goes(journal: Journal) -> None:
    assert sweeps(journal, Casework(journal), None, None) == []
