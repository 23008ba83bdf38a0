"""Templates of enrolled people: stored sealed, loaded by their names, and nothing of it in the open."""

from __future__ import annotations

import sqlite3
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from monitor.identity.vault import queries
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.records import Details, Enrolled
from monitor.identity.vault.sealing import MAX_TEMPLATE_BYTES
from monitor.identity.vault.vault import Vault
from tests.monitor.identity.build import (
    BOB,
    CHIEF,
    CLERK,
    JANE,
    OLD_KEY,
    Clock,
    consent,
    one_line,
    raw_files,
    rows,
    tamper,
    template,
    vault,
)


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


def test_what_is_known_of_a_person_is_sealed_kept_by_the_next_enrolment_and_erased(
    tmp_path: Path, opened: Vault
) -> None:
    opened.store(JANE, template(), consent(), CLERK, Details(("board", "board", "legal"), "+49 30 1234567"))
    opened.store(JANE, template(1), consent(), CLERK)
    info = opened.show(JANE)
    assert info is not None
    assert (info.version.tags, info.version.verify_by) == (("board", "legal"), "+49 30 1234567")
    assert info.as_json()["version"]["verify_by"] is True
    opened.store(JANE, template(2), consent(), CLERK, Details(("audit",)))
    info = opened.show(JANE)
    assert info is not None
    assert (info.version.tags, info.version.verify_by) == (("audit",), "+49 30 1234567")
    assert not any(word in raw_files(tmp_path) for word in (b"1234567", b"legal", b'audit"'))
    opened.erase(JANE, CLERK)
    opened.store(JANE, template(), consent(), CLERK)
    info = opened.show(JANE)
    assert info is not None
    assert (info.version.tags, info.version.verify_by) == ((), None)


@pytest.mark.parametrize(
    "details",
    [
        Details(("Board",)),
        Details(tuple(f"t{number}" for number in range(17))),
        Details(verify_by="javascript:alert(1)"),
        Details(verify_by="http://example.org"),
        Details(verify_by="12"),
        Details(verify_by='https://example.org/"><script>'),
    ],
)
def test_details_that_cannot_be_kept(opened: Vault, details: Details) -> None:
    with pytest.raises(VaultError, match=r"tags: up to 16|how to verify must be"):
        opened.store(JANE, template(), consent(), CLERK, details)
