"""Backups of a PostgreSQL by its own programs, as docs/databases.md says: restored, verified, gone on with."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.alerts.journal import Journal
from monitor.cli import run
from monitor.config import load
from monitor.identity.vault.anchor import open_anchors
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.open import open_vault
from tests.monitor.alerts.build import finding
from tests.monitor.cli.test_db import FINDINGS, Command, command, fill, held, state
from tests.postgres import Server
from tests.pure import ROOT

__all__ = ("command", "state")


@pytest.fixture
def dumped(state: Path, postgres_server: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup of a database with something in every table, which is set."""
    monkeypatch.setenv("SIDEWITNESS_DATABASE_URL", postgres_url)
    fill()
    file = postgres_server.folder / "sidewitness.dump"
    database = str(sa.make_url(postgres_url).database)
    postgres_server.program("pg_dump", "--format=custom", f"--file={file}", database)
    return file


def restore(server: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Restore a backup into a new database, and set that."""
    url = server.new_database()
    server.program("pg_restore", "--exit-on-error", f"--dbname={sa.make_url(url).database}", str(file))
    monkeypatch.setenv("SIDEWITNESS_DATABASE_URL", url)
    return url


def test_a_backup_is_restored_and_gone_on_with(
    command: Command, dumped: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(load())
    url = restore(postgres_server, dumped, monkeypatch)
    status, told, _ = command("check")
    assert (status, told["faults"], told["unsigned"]) == (0, [], None)
    assert held(load()) == before
    journal = Journal(url)
    assert journal.append(finding("after")) == FINDINGS + 1
    journal.close()
    # The log takes no change here either.
    with pytest.raises(AssertionError, match="append-only"):
        postgres_server.sql(str(sa.make_url(url).database), "DELETE FROM vault_audit")


def test_one_that_is_older_than_what_was_noted_is_told(
    command: Command,
    dumped: Path,
    state: Path,
    postgres_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load()
    vault = open_vault(settings)
    vault.erase("Jane Doe", "clerk")
    anchors = open_anchors(settings.anchors, state, "journal")
    journal = Journal(settings.journal_url, sign=vault.sign_finding, anchors=anchors)
    journal.open()
    assert journal.append(finding("since")) == FINDINGS + 1
    journal.close()
    vault.close()

    url = restore(postgres_server, dumped, monkeypatch)
    status, told, _ = command("check")
    assert status == 1
    assert any(f"findings {FINDINGS + 1} to {FINDINGS + 1} are missing" in fault for fault in told["faults"])
    assert any("its end was cut off or an older copy put back" in fault for fault in told["faults"])
    with pytest.raises(VaultError, match="restore the newest backup"):
        open_vault(load())
    again = Journal(url, anchors=anchors)
    again.open()
    assert again.append(finding("now")) == FINDINGS + 2
    again.close()
    for log in ("vault", "journal", "casework"):
        shutil.move(state / f"{log}.anchor", state / f"{log}.anchor.before")
    vault = open_vault(load())
    assert vault.load("Jane Doe") is not None
    vault.close()


def test_the_page_names_the_programs_as_they_are_used_here() -> None:
    page = (ROOT / "docs/databases.md").read_text()
    assert re.search(r"^pg_dump --format=custom --file=", page, re.MULTILINE)
    assert re.search(r"pg_restore --exit-on-error --dbname=", page)
    assert run(["db", "copy", "--help"]) == 0
