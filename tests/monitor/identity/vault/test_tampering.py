"""A database that is changed behind the vault's back: rows do not open, and the audit log shows it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from monitor.identity.vault.errors import KeysError, VaultError
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.vault import Vault
from tests.monitor.identity.build import (
    BOB,
    CHIEF,
    CLERK,
    JANE,
    NEW_KEY,
    actions,
    consent,
    one_line,
    rows,
    tamper,
    template,
    url,
)


def test_the_audit_log_tells_what_was_done_and_by_whom(opened: Vault) -> None:
    one = opened.store(JANE, template(), consent(), CLERK)
    opened.store(BOB, template(), consent(), CHIEF)
    receipt = opened.erase(JANE, CHIEF)
    assert actions(opened) == [("created", "vault"), ("enrolled", CLERK), ("enrolled", CHIEF), ("erased", CHIEF)]
    last = opened.audit(after=3)[0]
    assert (last.seq, last.identity, last.hash.hex()) == (receipt.audit, one.id, receipt.audit_hash)
    assert last.as_json()["detail"] == {"cause": "asked", "destroyed": 1, "receipt": receipt.id}
    assert [entry.seq for entry in opened.audit(limit=2)] == [1, 2]
    assert opened.verify_audit().lines == 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vault_audit SET time = 'x' WHERE seq = 2",
        "DELETE FROM vault_audit WHERE seq = 2",
        "DELETE FROM vault_audit",
        "INSERT OR REPLACE INTO vault_audit SELECT seq, 'x', action, identity, actor, detail, previous, hash, signature"
        " FROM vault_audit WHERE seq = 2",
        "REPLACE INTO vault_audit SELECT 9, 'x', action, identity, actor, detail, previous, hash, signature"
        " FROM vault_audit WHERE seq = 2",
        "UPDATE vault_audit_head SET seq = 1",
        "UPDATE vault_audit_head SET hash = zeroblob(32)",
        "UPDATE vault_audit_head SET one = 2",
        "DELETE FROM vault_audit_head",
        "REPLACE INTO vault_audit_head VALUES (1, 0, zeroblob(32), x'')",
        "INSERT INTO vault_audit_head VALUES (2, 0, zeroblob(32), x'')",
    ],
)
def test_the_database_refuses_to_change_the_audit_log(tmp_path: Path, opened: Vault, statement: str) -> None:
    opened.store(JANE, template(), consent(), CLERK)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        rows(tmp_path, statement)
    assert opened.verify_audit().broken is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE vault_audit SET action = 'approved' WHERE seq = 2", 2),
        ("DELETE FROM vault_audit WHERE seq = 2", 2),
        ("DELETE FROM vault_audit WHERE seq = 3", 3),
        ("DELETE FROM vault_audit_head", 4),
        ("UPDATE vault_audit_head SET seq = 2, hash = (SELECT hash FROM vault_audit WHERE seq = 2)", 4),
    ],
)
def test_what_is_changed_behind_its_back_shows(tmp_path: Path, opened: Vault, statement: str, broken: int) -> None:
    opened.store(JANE, template(), consent(), CLERK)
    opened.store(BOB, template(), consent(), CLERK)
    tamper(tmp_path, statement)
    assert opened.verify_audit().broken == broken


def test_no_line_is_written_without_a_head(tmp_path: Path, opened: Vault) -> None:
    tamper(tmp_path, "DELETE FROM vault_audit_head")
    with pytest.raises(VaultError, match="head of the audit log is missing"):
        opened.store(JANE, template(), consent(), CLERK)
    assert rows(tmp_path, "SELECT count(*) FROM vault_versions") == [(0,)]


def swapped(column: str) -> list[str]:
    """Statements that have two people's rows change a column."""
    other = f"(SELECT {column} FROM t WHERE t.identity <> vault_versions.identity)"
    return ["CREATE TABLE t AS SELECT * FROM vault_versions", f"UPDATE vault_versions SET {column} = {other}"]


@pytest.mark.parametrize(
    "changes",
    [
        ["UPDATE vault_versions SET sealed = zeroblob(length(sealed))"],
        ["UPDATE vault_versions SET wrapped = zeroblob(60)"],
        ["UPDATE vault_versions SET record = zeroblob(60)"],
        ["UPDATE vault_versions SET approval = zeroblob(60)"],
        ["UPDATE vault_versions SET approval = NULL"],
        ["UPDATE vault_versions SET version = 2"],
        ["UPDATE vault_versions SET schema = 2"],
        swapped("sealed"),
        swapped("wrapped"),
        swapped("record"),
        swapped("approval"),
        # The two names change places.
        [
            "CREATE TABLE t AS SELECT id, tag FROM vault_identities",
            "UPDATE vault_identities SET tag = randomblob(32)",
            "UPDATE vault_identities SET tag = (SELECT tag FROM t WHERE t.id <> vault_identities.id)",
        ],
        # Everything of the one under the number of the other.
        [
            "PRAGMA foreign_keys = OFF",
            "CREATE TABLE t AS SELECT * FROM vault_versions",
            "DELETE FROM vault_versions",
            "INSERT INTO vault_versions SELECT (SELECT max(o.identity) FROM t AS o WHERE o.identity <> t.identity),"
            " version, state, schema, record, approval, bytes, key_id, wrapped, sealed FROM t",
        ],
    ],
)
def test_rows_that_are_changed_or_swapped_do_not_open(tmp_path: Path, opened: Vault, changes: list[str]) -> None:
    opened.store(JANE, template(1), consent(), CLERK)
    opened.store(BOB, template(2), consent(), CLERK)
    tamper(tmp_path, *changes)
    for name in (JANE, BOB):
        with pytest.raises(VaultError, match="changed") as caught:
            opened.load(name)
        one_line(caught)


def test_another_master_key_opens_nothing(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(), consent(), CLERK)
    other = Vault(url(tmp_path), MasterKeys.local(NEW_KEY))
    with pytest.raises(KeysError, match="not the one that sealed"):
        other.open()
    report = other.verify_audit()
    assert (report.broken, report.signed) == (None, False)
    with pytest.raises(VaultError, match="call `open` first"):
        other.load(JANE)
    other.close()
    tamper(tmp_path, "DELETE FROM vault_names_key")
    with pytest.raises(KeysError, match="no names key"):
        opened.unlock()
