"""What erasing promises, held against the raw bytes of the database's files before and after."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.identity.vault.errors import NotEnrolled
from monitor.identity.vault.vault import Vault
from monitor.storage.dialect import rewrite
from tests.monitor.identity.build import BOB, CHIEF, CLERK, JANE, consent, found_in, raw_files, rows, template, vault

SECRETS = "SELECT sealed, wrapped, record, approval FROM vault_versions WHERE identity = '{}'"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Vault]:
    made = vault(tmp_path)
    yield made
    made.close()


def secrets_of(folder: Path, identity: str) -> dict[str, bytes]:
    """Everything of an identity that must be nowhere afterwards, by what it is."""
    found: dict[str, bytes] = {}
    for number, row in enumerate(rows(folder, SECRETS.format(identity))):
        for name, value in zip(("template", "wrapped key", "record", "approval"), row, strict=True):
            if value is not None:
                found |= {f"{name} {number}": value[12:], f"nonce of {name} {number}": value[:12]}
    ((tag, name),) = rows(folder, f"SELECT tag, name FROM vault_identities WHERE id = '{identity}'")
    return {**found, "name": name, "tag": tag}


def left(folder: Path, secrets: dict[str, bytes]) -> set[str]:
    """Which of them have a run of 8 bytes anywhere in the files."""
    found = found_in(raw_files(folder), secrets.values())
    return {what for what, there in zip(secrets, found, strict=True) if there}


# A template that fits into one page, one of several, and one of hundreds, with a large one of somebody else between.
@pytest.mark.parametrize("size", [200, 9_000, 1_000_000])
def test_nothing_is_left_in_the_files(tmp_path: Path, opened: Vault, size: int) -> None:
    enrolled = opened.store(JANE, template(1, size), consent(), CLERK)
    opened.store(BOB, template(2, 50_000), consent(), CLERK)
    secrets = secrets_of(tmp_path, enrolled.id)
    assert len(secrets) == 10
    assert left(tmp_path, secrets) == set(secrets), "the search does not find what is there"
    assert (tmp_path / "vault.sqlite-wal").exists()

    receipt = opened.erase(JANE, CHIEF)

    # Found by its keyed hash alone, a receipt can be asked for by name.
    assert left(tmp_path, secrets) == {"tag"}
    assert receipt.cleaned
    assert (receipt.identity, receipt.cause, receipt.erased_by) == (enrolled.id, "asked", CHIEF)
    assert (receipt.versions, receipt.destroyed) == (1, 1)
    assert opened.receipts(JANE) == opened.receipts() == [receipt]
    assert opened.receipts(BOB) == []
    assert opened.load(JANE) is None
    assert opened.show(JANE) is None
    with pytest.raises(NotEnrolled):
        opened.erase(JANE, CHIEF)
    with pytest.raises(NotEnrolled):
        opened.history(JANE)
    assert opened.load(BOB) == template(2, 50_000)
    assert opened.verify_audit().broken is None
    opened.close()
    assert left(tmp_path, secrets) == {"tag"}


def test_a_replaced_template_is_gone_too(tmp_path: Path, opened: Vault) -> None:
    enrolled = opened.store(JANE, template(1), consent(), CLERK)
    secrets = secrets_of(tmp_path, enrolled.id)
    opened.store(JANE, template(2), consent(), CLERK)
    gone = {"template 0", "nonce of template 0", "wrapped key 0", "nonce of wrapped key 0"}
    assert left(tmp_path, secrets) == set(secrets) - gone
    assert opened.erase(JANE, CLERK).versions == 2


def test_an_enrolment_anew_is_somebody_new(opened: Vault) -> None:
    first = opened.store(JANE, template(1), consent(), CLERK)
    opened.erase(JANE, CLERK)
    second = opened.store(JANE, template(2), consent(), CLERK)
    assert second.id != first.id
    assert second.version == 1
    assert opened.load(JANE) == template(2)
    opened.erase(JANE, CLERK)
    assert [receipt.identity for receipt in opened.receipts(JANE)] == [second.id, first.id]


def test_a_reader_in_the_way_is_told_and_the_next_sweep_cleans(tmp_path: Path, opened: Vault) -> None:
    enrolled = opened.store(JANE, template(1), consent(), CLERK)
    secrets = secrets_of(tmp_path, enrolled.id)

    @sa.event.listens_for(opened.database.engine, "connect")
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 1")

    opened.close()
    reader = sqlite3.connect(tmp_path / "vault.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM vault_versions").fetchall()
    receipt = opened.erase(JANE, CLERK)
    assert not receipt.cleaned
    assert opened.load(JANE) is None
    assert left(tmp_path, secrets) > {"tag"}
    reader.execute("ROLLBACK")
    reader.close()
    assert opened.sweep() == 0
    assert left(tmp_path, secrets) == {"tag"}
    assert opened.receipts()[0].cleaned


def test_a_writer_in_the_way(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(1), consent(), CLERK)
    opened.erase(JANE, CLERK)
    opened.store(JANE, template(1), consent(), CLERK)

    @sa.event.listens_for(opened.database.engine, "connect")
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 1")

    opened.close()
    with opened.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE vault_cleaning SET due = 1")
    writer = sqlite3.connect(tmp_path / "vault.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert not opened.database.clean()
    writer.execute("ROLLBACK")
    writer.close()
    assert opened.database.clean()


def test_what_was_destroyed_while_the_files_were_cleaned_is_cleaned_again(
    opened: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.store(JANE, template(1), consent(), CLERK)

    def meanwhile(connection: sa.Connection, tables: Sequence[str]) -> bool:
        cleaned = rewrite(connection, tables)
        with opened.database.transaction() as other:
            other.exec_driver_sql("UPDATE vault_cleaning SET due = due + 1")
        return cleaned

    monkeypatch.setattr("monitor.identity.vault.database.rewrite", meanwhile)
    assert not opened.erase(JANE, CLERK).cleaned
    monkeypatch.undo()
    opened.open()
    assert opened.receipts()[0].cleaned
