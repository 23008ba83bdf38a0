"""Addresses of databases, and what their errors say: what to do, and nothing of hosts, users and values."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, closing

import pytest
import sqlalchemy as sa

from engines import extras
from engines.extras import MissingExtraError
from monitor.alerts.journal import Journal, JournalError, heads
from monitor.storage import dialect
from monitor.storage.dialect import UnusableUrlError, describe, parse
from tests.postgres import USER, Server


class Refusal(Exception):  # noqa: N818 - as a driver raises it
    """An error of a driver, with the code that a server gave."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize("url", ["postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_postgresql_is_spoken_to_by_psycopg(url: str) -> None:
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: install the extra `postgres`")
    assert parse(url).drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "postgresql+psycopg2://u:hunter2@h/d", "nonsense", "://", ""])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(UnusableUrlError) as caught:
        parse(url)
    assert "hunter2" not in str(caught.value)


def test_without_its_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_is_there", lambda name: name != "psycopg")
    with pytest.raises(MissingExtraError, match=r"needs psycopg: pip install 'sidewitness\[postgres\]'$"):
        Journal("postgresql://u:hunter2@h/d")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("53100", "disk is full: free space"),
        ("25006", "standby: name the primary"),
        ("57P01", "cannot be reached"),
        ("08006", "cannot be reached"),
        ("55P03", "another writer"),
        ("42P01", "another version: run `sidewitness db upgrade`"),
        ("XX000", "OperationalError XX000: look into the server's log"),
    ],
)
def test_codes_of_postgresql(code: str, told: str) -> None:
    error = sa.exc.OperationalError("SELECT", {"name": "Ada"}, Refusal("quotes Ada at db.example", code))
    text = ": ".join(describe(error, False, {}))
    assert told in text
    assert "Ada" not in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('FATAL:  password authentication failed for user "ada"', "user or the password"),
        ('FATAL:  database "ada" does not exist', "no such database"),
        ("FATAL:  sorry, too many clients already", "no more connections"),
        ("connection to ada failed: session is read-only", "standby"),
        ("connection to ada failed: Connection refused", "cannot be reached"),
    ],
)
def test_words_with_which_a_connection_is_refused(words: str, told: str) -> None:
    text = ": ".join(describe(sa.exc.OperationalError("", {}, Refusal(words)), False, {}))
    assert told in text
    assert "ada" not in text


def test_a_server_that_keeps_silent_is_given_up_and_then_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: install the extra `postgres`")
    asked: list[float] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql+psycopg://ada:hunter2@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=2"
        journal = Journal(url)
        connect = journal.engine.dialect.connect

        def counted(*arguments: object, **options: object) -> object:
            asked.append(time.monotonic())
            return connect(*arguments, **options)

        monkeypatch.setattr(journal.engine.dialect, "connect", counted)
        for _ in range(20):
            with pytest.raises(JournalError, match=r"cannot be reached.*findings wait in memory") as caught:
                journal.head()
            assert "hunter2" not in str(caught.value)
        # The others were refused at once: participants whose person is looked up there go on.
        assert len(asked) == 1
        journal.close()


def test_a_session_is_durable_and_gives_up_waiting(postgres_server: Server, postgres_url: str) -> None:
    name = str(sa.make_url(postgres_url).database)
    postgres_server.sql("postgres", f"ALTER DATABASE {name} SET synchronous_commit = off")
    postgres_server.sql("postgres", f"ALTER DATABASE {name} SET default_transaction_isolation = serializable")
    journal = Journal(postgres_url)
    with journal.transaction() as connection:
        shown = {
            setting: connection.exec_driver_sql(f"SHOW {setting}").scalar_one()
            for setting in ("synchronous_commit", "transaction_isolation", "lock_timeout", "application_name")
        }
    journal.close()
    assert shown == {
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
        "lock_timeout": "5s",
        "application_name": "sidewitness",
    }


def test_what_the_address_says_of_the_connection_comes_first(postgres_url: str) -> None:
    journal = Journal(f"{postgres_url}&application_name=mine&connect_timeout=9")
    with journal.transaction() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar_one() == "mine"
    journal.close()


def test_whoever_stops_within_a_transaction_holds_nobody_up(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.monitor.alerts.build import finding

    url = postgres_server.migrated_database()
    stopped, other = Journal(url), Journal(url)
    monkeypatch.setattr(dialect, "IDLE_SECONDS", 0.05)
    with pytest.raises(JournalError, match="took too long"), stopped.transaction() as connection:  # noqa: PT012
        monkeypatch.undo()
        connection.exec_driver_sql("UPDATE journal_head SET seq = seq")
        assert other.append(finding()) == 1
    stopped.close()
    other.close()


def test_whether_it_can_be_written_is_found_out_beside_somebody_who_writes(postgres_server: Server) -> None:
    url = postgres_server.migrated_database()
    with ExitStack() as stack:
        writer, asked = (stack.enter_context(closing(Journal(url))) for _ in range(2))
        with writer.transaction() as connection:
            connection.exec_driver_sql("UPDATE journal_head SET seq = seq")
            # It would wait for the other's end, which does not come before it.
            asked.check()
        with pytest.raises(JournalError, match="standby"), asked.transaction() as connection:  # noqa: PT012
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            dialect.try_to_write(connection, heads.c.seq)


def test_a_database_that_is_not_there_and_a_user_who_is_not(postgres_server: Server) -> None:
    with pytest.raises(JournalError, match="there is no such database: create it") as caught:
        Journal(postgres_server.url("absent")).head()
    assert "absent" not in str(caught.value)
    with pytest.raises(JournalError, match="refuses the user or the password"):
        Journal(postgres_server.url("postgres").replace(f"//{USER}@", "//nobody_we_know@")).head()


def test_when_every_connection_is_in_use_that_is_said(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "POOL_SECONDS", 0.01)
    journal = Journal(postgres_url)
    with ExitStack() as held:
        for _ in range(15):
            held.enter_context(journal.engine.connect())
        with pytest.raises(JournalError, match="every connection to the database is in use: try again"):
            journal.head()
    journal.close()
