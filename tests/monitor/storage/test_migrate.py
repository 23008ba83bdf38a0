"""Every part of the database is made, taken away and made again, on both databases, and by two at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.alerts.casework import tables as casework
from monitor.alerts.journal import MIGRATIONS as JOURNAL
from monitor.alerts.journal import Journal, JournalError
from monitor.api.access import tables as access
from monitor.identity.vault import tables as vault
from monitor.storage.migrate import Migrations
from tests.monitor.alerts.build import finding

PARTS = {
    "journal": (JOURNAL, {"findings", "journal_head", "sink_cursors", "dead_letters"}),
    "casework": (casework.MIGRATIONS, {"case_events", "case_head", "case_states"}),
    "access": (access.MIGRATIONS, {"access_tokens", "access_sessions"}),
    "vault": (vault.MIGRATIONS, {table.name for table in vault.metadata.sorted_tables}),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    """A database of each kind without tables."""
    if request.param == "sqlite":
        return Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    return Journal(request.getfixturevalue("postgres_url"))


def tables(journal: Journal) -> set[str]:
    with journal.engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


@pytest.mark.parametrize("part", PARTS)
def test_up_down_and_up_again(journal: Journal, part: str) -> None:
    migrations, names = PARTS[part]
    with journal.transaction() as connection:
        assert migrations.revision(connection) is None
        migrations.upgrade(connection)
        assert migrations.revision(connection) == migrations.newest
    whole = columns(journal, names)
    assert names <= tables(journal)
    with journal.transaction() as connection:
        migrations.downgrade(connection)
    assert tables(journal) == {migrations.version_table}
    with journal.transaction() as connection:
        migrations.upgrade(connection)
    assert columns(journal, names) == whole
    journal.close()


@pytest.mark.parametrize("part", PARTS)
def test_every_step_can_be_taken_back(journal: Journal, part: str) -> None:
    migrations, _ = PARTS[part]
    with journal.transaction() as connection:
        migrations.upgrade(connection)
    steps = 0
    while True:
        with journal.transaction() as connection:
            if migrations.revision(connection) is None:
                break
            migrations.downgrade(connection, "-1")
            steps += 1
    assert steps == int(migrations.newest)
    journal.close()


def columns(journal: Journal, names: set[str]) -> dict[str, list[tuple[str, str]]]:
    with journal.engine.connect() as connection:
        inspector = sa.inspect(connection)
        return {
            name: [(column["name"], str(column["type"])) for column in inspector.get_columns(name)] for name in names
        }


def test_several_that_start_at_once(journal: Journal) -> None:
    begin = threading.Barrier(4)
    failed: list[Exception] = []

    def start() -> None:
        one = Journal(journal.engine.url.render_as_string(hide_password=False))
        begin.wait()
        try:
            one.open()
        except Exception as error:
            failed.append(error)
        one.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert journal.append(finding()) == 1
    journal.close()


def test_a_database_of_a_newer_version_is_left_alone(journal: Journal) -> None:
    journal.open()
    with journal.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(JournalError, match="newer version: update sidewitness"):
        journal.open()
    journal.close()


def test_a_folder_without_migrations(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no migrations"):
        _ = Migrations(tmp_path, 1).newest
