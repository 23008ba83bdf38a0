from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from structlog.testing import capture_logs

from monitor.alerts.finding import Finding
from monitor.alerts.finding_row import finding_row as journal_row
from monitor.alerts.journal import MIGRATIONS, Entry, Head, Journal, JournalError, Tampered
from monitor.alerts.sinks.cursors import Cursors
from tests.monitor.alerts.build import finding, journal


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Journal]:
    made = journal(tmp_path)
    yield made
    made.close()


def one_line(error: pytest.ExceptionInfo[JournalError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_what_is_appended_is_read_back(opened: Journal) -> None:
    assert opened.head() == Head(0, 0)
    first, second = finding("a"), finding("a", 1, "closed")
    assert [opened.append(first), opened.append(second)] == [1, 2]
    assert opened.read(0) == [Entry(1, first), Entry(2, second)]
    assert opened.read(1, limit=1) == [Entry(2, second)]
    assert opened.read(2**70) == []
    assert opened.head() == Head(2, 0)


def test_a_retried_append_keeps_its_number_and_leaves_no_hole(opened: Journal) -> None:
    assert [opened.append(finding("a")), opened.append(finding("a")), opened.append(finding("b"))] == [1, 1, 2]


def test_file_is_durable_private_and_survives_reopening(tmp_path: Path, opened: Journal) -> None:
    with opened.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    opened.append(finding())
    opened.close()
    again = journal(tmp_path)
    assert (again.head(), again.append(finding("b"))) == (Head(1, 0), 2)
    again.close()


def test_a_folder_with_a_percent_sign(tmp_path: Path) -> None:
    (tmp_path / "100%").mkdir()
    made = journal(tmp_path / "100%")
    assert made.append(finding()) == 1
    made.close()


def test_old_findings_are_pruned_and_numbers_are_never_reused(tmp_path: Path) -> None:
    made = journal(tmp_path, max_findings=20)
    for n in range(23):
        made.append(finding(str(n)))
    assert made.head() == Head(23, 3)
    assert [entry.seq for entry in made.read(0)] == list(range(4, 24))
    made.close()


def test_writers_on_several_threads_get_distinct_numbers_in_commit_order(opened: Journal) -> None:
    numbers: list[list[int]] = [[], []]

    def write(own: list[int], name: str) -> None:
        own.extend(opened.append(finding(f"{name}{n}")) for n in range(20))

    threads = [threading.Thread(target=write, args=(own, name)) for own, name in zip(numbers, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 41))
    assert all(own == sorted(own) for own in numbers)


def test_full_disk_refuses_and_recovers(opened: Journal) -> None:
    pages = [1]

    @event.listens_for(opened.engine, "connect")
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    opened.close()
    with pytest.raises(JournalError, match="disk is full") as caught:
        _ = [opened.append(finding(str(n))) for n in range(200)]
    assert "free space" in one_line(caught)
    committed = opened.head().seq
    pages[0] = 10_000
    opened.close()
    assert opened.append(finding("after")) == committed + 1


def test_locked_by_another_process(opened: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @event.listens_for(opened.engine, "connect")
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 1")

    opened.close()
    other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="another process") as caught:
        opened.append(finding())
    one_line(caught)
    with pytest.raises(JournalError):
        opened.check()
    assert opened.read(0) == []
    other.execute("ROLLBACK")
    other.close()
    opened.check()
    assert opened.append(finding()) == 1


def test_read_only_file(opened: Journal) -> None:
    @event.listens_for(opened.engine, "connect")
    def freeze(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    opened.close()
    with pytest.raises(JournalError, match="writable") as caught:
        opened.append(finding())
    one_line(caught)


def test_file_that_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalError, match="move it away") as caught:
        journal(tmp_path)
    one_line(caught)


def test_a_damaged_row_holds_up_nothing(opened: Journal) -> None:
    opened.append(finding())
    opened.append(finding("b"))
    with opened.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE findings SET scores = '{' WHERE seq = 1")
    assert opened.read(0) == [Tampered(1), Entry(2, finding("b"))]


def test_journal_of_an_older_version_is_migrated_and_keeps_its_findings(tmp_path: Path) -> None:
    made = Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    with made.transaction() as connection:
        MIGRATIONS.upgrade(connection, "0001")
        for seq, name in enumerate(("old", "older still"), 4):
            insert_unchained(connection, seq, finding(name))
        connection.exec_driver_sql("UPDATE journal_head SET seq = 5, pruned = 3")
    with capture_logs() as said:
        made.open()
    assert [(line["event"], line["count"]) for line in said] == [
        ("findings of an older version are chained as they are from now on", 2)
    ]
    assert made.read(0) == [Entry(4, finding("old")), Entry(5, finding("older still"))]
    assert made.append(finding("new")) == 6
    assert made.verify().faults == ()
    assert Cursors(made).begin("siem", 1) == 1
    made.close()


def insert_unchained(connection: sa.Connection, seq: int, old: Finding) -> None:
    """Write a finding as versions before the chain did."""
    row = {"seq": seq, **journal_row(old)}
    del row["claim"], row["handling"], row["conditions"]
    names = ", ".join(row)
    connection.execute(sa.text(f"INSERT INTO findings ({names}) VALUES ({', '.join(f':{n}' for n in row)})"), row)


def test_journal_of_a_newer_version(opened: Journal) -> None:
    with opened.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalError, match="newer version"):
        opened.open()


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="SIDEWITNESS_STATE_DIR"):
        journal(tmp_path / "absent")


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x", "postgresql+nodriver://u:hunter2@h/db"])
def test_url_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(JournalError, match="database_url") as caught:
        Journal(url)
    assert "hunter2" not in one_line(caught)
