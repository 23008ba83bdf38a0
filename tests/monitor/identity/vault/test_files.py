"""What is on the disk: nothing of what was destroyed, by either of two ways, and nothing that others can read."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.identity.vault import erasure, ledger
from monitor.identity.vault.vault import Vault
from monitor.storage.files import SUFFIXES, make_private
from tests.monitor.identity.build import CHIEF, CLERK, JANE, consent, found_in, raw_files, rows, template, vault


@pytest.fixture
def careless() -> Iterator[None]:
    """Make files that everybody can read and write, unless somebody takes care."""
    before = os.umask(0)
    yield
    os.umask(before)


def secrets(folder: Path) -> list[bytes]:
    (row,) = rows(folder, "SELECT sealed, wrapped, record FROM vault_versions")
    return list(row)


def checkpoint(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "vault.sqlite")) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_destroyed_bytes_are_overwritten_before_the_files_are_rewritten(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(), consent(), CLERK)
    destroyed = secrets(tmp_path)
    checkpoint(tmp_path)
    assert found_in(raw_files(tmp_path), destroyed) == [True, True, True]
    ((identity,),) = rows(tmp_path, "SELECT id FROM vault_identities")
    # As if killed before the cleaning.
    with opened.database.transaction() as connection:
        ledger.lock(connection)
        erasure.erase(connection, opened._cipher, "2026-03-01T12:00:00.000Z", identity, CHIEF, "asked")
    assert not opened.database.is_clean()
    checkpoint(tmp_path)
    assert found_in(raw_files(tmp_path), destroyed) == [False, False, False]


def test_the_files_are_rewritten_without_what_was_freed(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(), consent(), CLERK)
    freed = template(7)
    with closing(sqlite3.connect(tmp_path / "vault.sqlite")) as database:
        # By a program that does not overwrite what it frees.
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("CREATE TABLE other (content BLOB)")
        database.execute("INSERT INTO other VALUES (?)", (freed,))
        database.commit()
        database.execute("DROP TABLE other")
        database.commit()
    checkpoint(tmp_path)
    assert found_in(raw_files(tmp_path), [freed]) == [True]
    opened.erase(JANE, CHIEF)
    assert found_in(raw_files(tmp_path), [freed]) == [False]
    assert rows(tmp_path, "PRAGMA freelist_count") == [(0,)]


@pytest.mark.usefixtures("careless")
def test_nobody_else_reads_any_file_of_the_vault(tmp_path: Path) -> None:
    opened = vault(tmp_path)
    opened.store(JANE, template(), consent(), CLERK)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("vault.sqlite*")}
    assert modes == {"vault.sqlite": 0o600, "vault.sqlite-wal": 0o600, "vault.sqlite-shm": 0o600}
    opened.close()


@pytest.mark.usefixtures("careless")
def test_files_of_before_become_private(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        (tmp_path / f"a.db{suffix}").write_bytes(b"")
    make_private(tmp_path / "a.db")
    make_private(tmp_path / "nowhere" / "b.db")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("a.db*")} == {0o600}
