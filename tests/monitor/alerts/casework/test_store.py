"""The log of casework: numbered, chained, pruned, refused by a check, and read by what is asked of findings."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.alerts.casework.case import Case, CaseState
from monitor.alerts.casework.events import CaseworkError, EventKind
from monitor.alerts.casework.search import Query, find
from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Journal
from monitor.identity.vault.anchor import FileAnchor
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import finding, ready_journal
from tests.monitor.alerts.casework.build import NOON, new

E = EventKind


def sign(data: bytes) -> bytes:
    return hmac.digest(b"k" * 32, data, hashlib.sha256)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = ready_journal(tmp_path)
    yield made
    made.close()


@pytest.fixture
def casework(tmp_path: Path, journal: Journal) -> Casework:
    return Casework(journal, sign, [FileAnchor(tmp_path / "casework.anchor")], clock=lambda: NOON)


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def test_what_is_recorded_is_read_again(casework: Casework, journal: Journal) -> None:
    first = casework.append(new(E.ACKNOWLEDGED))
    second = casework.append(new(E.NOTED, text="it was her"))
    casework.append(new(E.LABELLED, finding="f", label="false"))
    assert (first.event.seq, first.case.state, second.event.seq) == (1, CaseState.ACKNOWLEDGED, 2)
    again = Casework(journal, sign)
    log = again.of("e")
    assert log.events == (first.event, second.event)
    assert log.case == second.case
    assert again.of("nothing").case == Case("nothing")
    assert {name: str(case.state) for name, case in again.cases(["e", "f", "g"]).items()} == {
        "e": "acknowledged",
        "f": "closed",
        "g": "open",
    }
    assert [event.seq for event in again.read(1)] == [2, 3]
    assert list(again.labelled()) == ["f"]
    assert casework.verify().faults == ()


def test_a_bad_event_leaves_nothing(casework: Casework) -> None:
    with pytest.raises(CaseworkError):
        casework.append(new(E.NOTED))
    assert casework.append(new(E.ACKNOWLEDGED)).event.seq == 1


def test_of_two_who_confirm_at_once_one_is_refused(casework: Casework) -> None:
    casework.append(new(E.ACTION_PROPOSED, actor="policy", id="a", action="mute"))
    written, refused = [], []

    def still_proposed(case: Case) -> None:
        action = case.action("a")
        if action is None or action.state != "proposed":
            raise CaseworkError("somebody has decided already")

    def confirm(who: str) -> None:
        try:
            written.append(casework.append(new(E.ACTION_CONFIRMED, actor=who, id="a"), still_proposed).event.actor)
        except CaseworkError:
            refused.append(who)

    threads = [threading.Thread(target=confirm, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(written), len(refused)) == (1, 3)
    [action] = casework.of("e").case.actions
    assert action.confirmed_by == written[0]
    # What was refused took no number.
    assert casework.append(new(E.ACKNOWLEDGED)).event.seq == 3


@pytest.mark.parametrize("column", ["finding", "event", "time", "actor", "details", "hash", "signature"])
def test_a_changed_event_is_told_and_does_not_count(tmp_path: Path, casework: Casework, column: str) -> None:
    casework.append(new(E.ACKNOWLEDGED))
    casework.append(new(E.LABELLED, label="false"))
    value = "'e'" if column != "finding" else "'other'"
    change(tmp_path, f"UPDATE case_events SET {column} = {value} WHERE seq = 2")
    with capture_logs() as said:
        log = casework.of("other" if column == "finding" else "e")
    assert log.changed == (2,)
    assert log.case.label is None
    assert [line["log_level"] for line in said] == ["error"]
    assert "case event 2 was changed" in casework.verify().faults


def test_events_that_are_taken_away_are_told(tmp_path: Path, casework: Casework, journal: Journal) -> None:
    for _ in range(3):
        casework.append(new(E.ACKNOWLEDGED))
    change(tmp_path, "DELETE FROM case_events WHERE seq = 2")
    assert "case event 2 is missing" in casework.verify().faults
    # An older copy put back: the note outside the database knows more, and no number is given twice.
    change(tmp_path, "DELETE FROM case_events", "UPDATE case_head SET seq = 0")
    again = Casework(journal, sign, [FileAnchor(tmp_path / "casework.anchor")])
    assert any("by " in fault for fault in again.verify().faults)
    assert again.append(new(E.ACKNOWLEDGED)).event.seq == 4


def test_a_log_that_is_gone_as_a_whole_is_told_and_looking_makes_none(
    tmp_path: Path, casework: Casework, journal: Journal
) -> None:
    assert casework.verify().rows == 0
    assert casework.verify().faults == ()
    (tmp_path / "casework.anchor").write_text('{"seq": 3, "hash": "00"}\n')
    assert "case events 1 to 3 are missing" in casework.verify().faults[0]
    with journal.transaction() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name LIKE 'case%'").all()
    assert tables == []


def test_another_event_than_the_one_noted_is_told(tmp_path: Path, casework: Casework) -> None:
    casework.append(new(E.ACKNOWLEDGED))
    (tmp_path / "casework.anchor").write_text('{"seq": 1, "hash": "00"}\n')
    assert any("is another one" in fault for fault in casework.verify().faults)


def test_whoever_does_not_hold_the_key_writes_no_event(casework: Casework, journal: Journal) -> None:
    Casework(journal, lambda data: hmac.digest(b"other", data, hashlib.sha256)).append(new(E.ACKNOWLEDGED))
    assert casework.of("e").changed == (1,)


def test_the_oldest_give_way_and_the_chain_holds(journal: Journal) -> None:
    small = Casework(journal, sign, events_kept=20)
    for n in range(25):
        small.append(new(E.NOTED, finding=f"f{n}", text=str(n)))
    assert [event.seq for event in small.read()] == list(range(4, 26))
    assert small.verify().faults == ()


def fill(journal: Journal) -> None:
    for n, (call, person, reason) in enumerate(
        [
            ("board", "Ada", "lips_disagree_with_voice"),
            ("board", None, "identity_mismatch"),
            ("sales", "Bob_50%", "identity_mismatch"),
        ]
    ):
        made = replace(
            finding(f"f{n}"),
            key=ParticipantKey(call, f"p{n}", person),
            reason=reason,
            time=NOON + timedelta(hours=n),
        )
        journal.append(made)
    journal.append(replace(finding("f0", 1, "closed"), reason="ended", time=NOON + timedelta(hours=9)))


def ids(journal: Journal, query: Query, limit: int = 10) -> list[str]:
    return [found.id for found in find(journal, query, limit)]


def test_findings_by_what_is_asked(casework: Casework, journal: Journal) -> None:
    fill(journal)
    casework.append(new(E.LABELLED, finding="f1", label="false"))
    casework.append(new(E.ASSIGNED, finding="f2", to="sam"))
    assert ids(journal, Query()) == ["f2", "f1", "f0"]
    [newest] = find(journal, Query(participant="p0"), 10)
    assert (newest.first, newest.last, newest.changes) == (1, 4, 2)
    for query, expected in (
        (Query(call="board"), ["f1", "f0"]),
        (Query(identity="Ada"), ["f0"]),
        (Query(reasons=["identity_mismatch"]), ["f2", "f1"]),
        (Query(reasons=[]), []),
        (Query(reasons=["ended"]), ["f0"]),
        (Query(label="false"), ["f1"]),
        (Query(label="none"), ["f2", "f0"]),
        (Query(state="open"), ["f2", "f0"]),
        (Query(state="closed"), ["f1"]),
        (Query(assignee="sam"), ["f2"]),
        (Query(since=NOON + timedelta(hours=2)), ["f2", "f0"]),
        (Query(until=NOON + timedelta(hours=1)), ["f1", "f0"]),
        (Query(text="BOB_"), ["f2"]),
        (Query(text="%"), ["f2"]),
        (Query(text="oar"), ["f1", "f0"]),
        (Query(text="\\"), []),
    ):
        assert ids(journal, query) == expected, query
    assert ids(journal, Query(), 2) == ["f2", "f1"]
    assert ids(journal, Query(before=2), 2) == ["f0"]
