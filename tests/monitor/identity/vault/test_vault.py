from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from monitor.identity.vault import queries
from monitor.identity.vault.errors import ApprovalRefused, KeysError, NotEnrolled, VaultError
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.records import Enrolled
from monitor.identity.vault.sealing import MAX_TEMPLATE_BYTES
from monitor.identity.vault.vault import SWEEPER, Vault
from tests.monitor.identity.build import (
    BOB,
    CHIEF,
    CLERK,
    JANE,
    NEW_KEY,
    OLD_KEY,
    Clock,
    consent,
    raw_files,
    rows,
    tamper,
    template,
    url,
    vault,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Iterator[Vault]:
    made = vault(tmp_path, now=clock)
    yield made
    made.close()


@pytest.fixture
def four_eyes(tmp_path: Path, clock: Clock) -> Iterator[Vault]:
    made = vault(tmp_path, second_approver=True, now=clock)
    yield made
    made.close()


def one_line(error: pytest.ExceptionInfo[VaultError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert JANE not in text
    return text


def actions(opened: Vault) -> list[tuple[str, str]]:
    return [(entry.action, entry.actor) for entry in opened.audit()]


def test_what_is_stored_is_loaded_by_its_name_only(opened: Vault) -> None:
    enrolled = opened.store(JANE, template(), consent(), CLERK)
    assert enrolled == Enrolled(enrolled.id, 1, "active")
    assert opened.load(JANE) == template()
    assert opened.current(JANE) == enrolled
    for other in (BOB, "jane doe", JANE + " ", ""):
        assert opened.load(other) is None
        assert opened.current(other) is None
        assert opened.show(other) is None


def test_shown_as_it_stands(opened: Vault) -> None:
    enrolled = opened.store(JANE, template(), consent(), CLERK)
    opened.store(BOB, template(1), consent(), CHIEF)
    info = opened.show(JANE)
    assert info is not None
    assert (info.id, info.name, info.state, info.pending, info.versions) == (enrolled.id, JANE, "active", None, 1)
    version = info.version
    assert (version.enrolled, version.enrolled_by, version.bytes) == ("2026-03-01T12:00:00.000Z", CLERK, 40_000)
    assert (version.approved_by, version.consent) == (CLERK, consent())
    assert [each.name for each in opened.list()] == [JANE, BOB]
    assert info.as_json()["version"]["consent"]["expires"] == "2027-03-01"
    assert [version.as_json()["version"] for version in opened.history(JANE)] == [1]


def test_it_survives_reopening(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(), consent(), CLERK)
    opened.close()
    again = vault(tmp_path)
    assert again.load(JANE) == template()
    assert again.verify_audit().broken is None
    again.close()


def test_a_new_enrolment_replaces_the_template_and_keeps_the_history(opened: Vault, clock: Clock) -> None:
    first = opened.store(JANE, template(1), consent(), CLERK)
    clock.time += timedelta(days=30)
    second = opened.store(JANE, template(2), consent(by="her assistant"), CHIEF)
    assert (first.id, second.version) == (second.id, 2)
    assert opened.load(JANE) == template(2)
    new, old = opened.history(JANE)
    assert (new.version, new.state, new.enrolled_by, new.bytes) == (2, "active", CHIEF, 40_000)
    assert (old.version, old.state, old.enrolled_by, old.bytes) == (1, "superseded", CLERK, 0)
    assert (old.enrolled, new.consent.by) == ("2026-03-01T12:00:00.000Z", "her assistant")
    info = opened.show(JANE)
    assert info is not None
    assert (info.version, info.versions) == (new, 2)


def test_nothing_in_the_files_tells_who_is_enrolled(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, b"template of " * 1000, consent(), CLERK)
    opened.store(JANE, b"template of " * 999, consent(), CLERK)
    files = raw_files(tmp_path).lower()
    for telling in (b"jane", b"doe", b"template of", b"clerk", b"board", b"protection in calls"):
        assert telling not in files, telling
    assert (tmp_path / "vault.sqlite").stat().st_size > 1000
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_nothing_of_it_is_sealed_twice_the_same(tmp_path: Path, opened: Vault) -> None:
    for _ in range(3):
        opened.store(JANE, template(), consent(), CLERK)
        opened.store(BOB, template(), consent(), CLERK)
    sealed = rows(tmp_path, "SELECT sealed, wrapped, record FROM vault_versions WHERE sealed IS NOT NULL")
    assert len(sealed) == 2
    assert len({value[:12] for row in sealed for value in row}) == 6


@pytest.mark.parametrize("days", [0, 1])
def test_consent_ends(opened: Vault, clock: Clock, days: int) -> None:
    opened.store(JANE, template(), consent(date(2026, 4, 1)), CLERK)
    clock.time += timedelta(days=31 + days)
    held = days == 0
    assert (opened.load(JANE) is not None) == held
    assert (opened.current(JANE) is not None) == held
    info = opened.show(JANE)
    assert info is not None
    assert info.state == ("active" if held else "expired")
    assert opened.sweep() == (0 if held else 1)
    assert (opened.show(JANE) is not None) == held
    if not held:
        (receipt,) = opened.receipts(JANE)
        assert (receipt.cause, receipt.erased_by, receipt.destroyed) == ("consent_expired", SWEEPER, 1)
        assert actions(opened)[-2:] == [("consent_expired", SWEEPER), ("erased", SWEEPER)]


def test_a_sweep_leaves_others_alone(opened: Vault, clock: Clock) -> None:
    opened.store(JANE, template(), consent(date(2026, 4, 1)), CLERK)
    opened.store(BOB, template(1), consent(None), CLERK)
    assert opened.sweep(clock.time + timedelta(days=400)) == 1
    assert opened.load(BOB) == template(1)
    assert [info.name for info in opened.list()] == [BOB]
    assert opened.sweep(clock.time + timedelta(days=400)) == 0


def test_a_sweep_of_one_version_keeps_the_other(four_eyes: Vault, clock: Clock) -> None:
    four_eyes.store(JANE, template(1), consent(date(2026, 4, 1)), CLERK)
    four_eyes.approve(JANE, CHIEF)
    four_eyes.store(JANE, template(2), consent(), CLERK)
    clock.time += timedelta(days=60)
    assert four_eyes.load(JANE) is None
    assert four_eyes.sweep() == 1
    info = four_eyes.show(JANE)
    assert info is not None
    assert (info.state, info.pending, info.version.version) == ("pending_approval", 2, 2)
    assert [version.state for version in four_eyes.history(JANE)] == ["pending_approval", "expired"]
    four_eyes.approve(JANE, CHIEF)
    assert four_eyes.load(JANE) == template(2)


def test_an_entry_that_cannot_be_read_keeps_no_other_from_being_swept(tmp_path: Path, opened: Vault) -> None:
    ids = [opened.store(name, template(), consent(date(2026, 4, 1)), CLERK).id for name in (JANE, BOB, "Ada")]
    tamper(tmp_path, f"UPDATE vault_versions SET record = zeroblob(60) WHERE identity = '{ids[1]}'")
    with pytest.raises(VaultError, match="changed or moved"):
        opened.sweep(Clock().time + timedelta(days=60))
    assert rows(tmp_path, "SELECT identity FROM vault_versions") == [(ids[1],)]
    assert opened.erase(BOB, CLERK).destroyed == 1


def test_a_second_person_must_approve(four_eyes: Vault) -> None:
    enrolled = four_eyes.store(JANE, template(), consent(), CLERK)
    assert enrolled.state == "pending_approval"
    assert four_eyes.load(JANE) is None
    assert four_eyes.current(JANE) is None
    info = four_eyes.show(JANE)
    assert info is not None
    assert (info.state, info.pending, info.version.approved) == ("pending_approval", 1, None)
    for same in (CLERK, "CLERK", "ｃlerk"):
        with pytest.raises(ApprovalRefused, match="somebody else") as caught:
            four_eyes.approve(JANE, same)
        one_line(caught)
    assert four_eyes.load(JANE) is None
    assert four_eyes.approve(JANE, CHIEF) == Enrolled(enrolled.id, 1, "active")
    assert four_eyes.load(JANE) == template()
    (version,) = four_eyes.history(JANE)
    assert (version.enrolled_by, version.approved_by) == (CLERK, CHIEF)
    with pytest.raises(ApprovalRefused, match="waits for approval"):
        four_eyes.approve(JANE, CHIEF)
    with pytest.raises(NotEnrolled):
        four_eyes.approve(BOB, CHIEF)


def test_the_old_template_serves_until_the_new_one_is_approved(four_eyes: Vault) -> None:
    four_eyes.store(JANE, template(1), consent(), CLERK)
    four_eyes.approve(JANE, CHIEF)
    four_eyes.store(JANE, template(2), consent(), CLERK)
    assert four_eyes.load(JANE) == template(1)
    info = four_eyes.show(JANE)
    assert info is not None
    assert (info.state, info.version.version, info.pending) == ("active", 1, 2)
    # A later one takes the place of one that still waits.
    four_eyes.store(JANE, template(3), consent(), CHIEF)
    with pytest.raises(ApprovalRefused):
        four_eyes.approve(JANE, CHIEF)
    four_eyes.approve(JANE, CLERK)
    assert four_eyes.load(JANE) == template(3)
    assert [version.state for version in four_eyes.history(JANE)] == ["active", "superseded", "superseded"]


def test_an_enrolment_may_be_rejected(four_eyes: Vault) -> None:
    four_eyes.store(JANE, template(1), consent(), CLERK)
    assert four_eyes.reject(JANE, CHIEF).state == "rejected"
    assert four_eyes.show(JANE) is None
    assert four_eyes.receipts(JANE)[0].cause == "rejected"
    four_eyes.store(JANE, template(2), consent(), CLERK)
    four_eyes.approve(JANE, CHIEF)
    four_eyes.store(JANE, template(3), consent(), CLERK)
    assert four_eyes.reject(JANE, CLERK).version == 2
    assert four_eyes.load(JANE) == template(2)
    assert [version.state for version in four_eyes.history(JANE)] == ["rejected", "active"]
    with pytest.raises(ApprovalRefused):
        four_eyes.reject(JANE, CHIEF)


def test_a_consent_that_ended_is_neither_enrolled_nor_approved(four_eyes: Vault, clock: Clock) -> None:
    with pytest.raises(VaultError, match="expired"):
        four_eyes.store(JANE, template(), consent(date(2026, 2, 28)), CLERK)
    four_eyes.store(JANE, template(), consent(date(2026, 4, 1)), CLERK)
    clock.time += timedelta(days=60)
    with pytest.raises(ApprovalRefused, match="expired"):
        four_eyes.approve(JANE, CHIEF)
    info = four_eyes.show(JANE)
    assert info is not None
    assert info.state == "expired"


@pytest.mark.parametrize("name", ["", " Jane", "a\nb", "x" * 129])
def test_names_that_are_refused(opened: Vault, name: str) -> None:
    for call in (
        lambda: opened.store(name, template(), consent(), CLERK),
        lambda: opened.store(JANE, template(), consent(), name),
        lambda: opened.approve(JANE, name),
        lambda: opened.reject(JANE, name),
        lambda: opened.erase(JANE, name),
        lambda: opened.rotate(actor=name),
    ):
        with pytest.raises(VaultError, match="printable") as caught:
            call()
        one_line(caught)


def test_templates_that_are_refused(opened: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_TEMPLATE_BYTES == 64 << 20
    monkeypatch.setattr("monitor.identity.vault.vault.MAX_TEMPLATE_BYTES", 1 << 20)
    for wrong in (b"", bytes((1 << 20) + 1)):
        with pytest.raises(VaultError, match="1 to 1 MiB"):
            opened.store(JANE, wrong, consent(), CLERK)


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


def test_a_pending_enrolment_is_not_made_active_by_whoever_writes_the_database(
    tmp_path: Path, four_eyes: Vault
) -> None:
    four_eyes.store(JANE, template(), consent(), CLERK)
    tamper(tmp_path, "UPDATE vault_versions SET state = 'active'")
    for call in (four_eyes.load, four_eyes.current, four_eyes.show):
        with pytest.raises(VaultError, match="changed or moved"):
            call(JANE)


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


def test_many_threads_at_once(tmp_path: Path, clock: Clock) -> None:
    opened, elsewhere = vault(tmp_path, now=clock), vault(tmp_path, now=clock)
    failures: list[BaseException] = []

    def work(own: Vault, number: int) -> None:
        try:
            for turn in range(3):
                own.store(JANE, template(number), consent(), CLERK)
                own.store(f"person {number}", template(turn), consent(), CLERK)
                assert own.load(JANE) in [template(each) for each in range(4)]
            own.erase(f"person {number}", CLERK)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=((opened, elsewhere)[each % 2], each)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [info.name for info in opened.list()] == [JANE]
    assert [version.version for version in opened.history(JANE)] == list(range(12, 0, -1))
    assert [version.state for version in opened.history(JANE)] == ["active"] + ["superseded"] * 11
    report = elsewhere.verify_audit()
    assert (report.lines, report.broken) == (1 + 24 + 4, None)
    opened.close()
    elsewhere.close()


def test_whoever_is_always_late_is_told(opened: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100))
    monkeypatch.setattr(queries, "next_version", lambda *_: (None, next(numbers), opened._keys.current))
    with pytest.raises(VaultError, match="try again"):
        opened.store(JANE, template(), consent(), CLERK)


@pytest.mark.parametrize("bad", ["nonsense", "nosuch://x", "postgresql+nodriver://u:hunter2@h/db"])
def test_a_url_that_cannot_be_used_is_not_repeated(bad: str) -> None:
    with pytest.raises(VaultError, match="database_url") as caught:
        Vault(bad, MasterKeys.local(OLD_KEY))
    assert "hunter2" not in one_line(caught)


def test_a_vault_of_a_newer_version_and_a_file_that_is_none(tmp_path: Path, opened: Vault) -> None:
    tamper(tmp_path, "UPDATE vault_alembic_version SET version_num = '9999'")
    with pytest.raises(VaultError, match="newer version"):
        opened.open()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "vault.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(VaultError, match="no vault"):
        vault(tmp_path / "other")
    with pytest.raises(VaultError, match="SIDEWITNESS_STATE_DIR"):
        vault(tmp_path / "absent")


def test_beside_the_journal_in_one_database(tmp_path: Path) -> None:
    from tests.monitor.alerts.build import finding, journal

    findings = journal(tmp_path)
    both = Vault(f"sqlite:///{tmp_path / 'journal.sqlite'}", MasterKeys.local(OLD_KEY), now=Clock())
    both.open()
    both.store(JANE, template(), consent(), CLERK)
    assert findings.append(finding()) == 1
    assert both.erase(JANE, CLERK).cleaned
    assert len(findings.read(0)) == 1
    findings.open()
    both.open()
    findings.close()
    both.close()


def test_a_read_only_database(opened: Vault) -> None:
    @event.listens_for(opened.database.engine, "connect")
    def freeze(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    opened.close()
    with pytest.raises(VaultError, match="writable") as caught:
        opened.store(JANE, template(), consent(), CLERK)
    one_line(caught)
