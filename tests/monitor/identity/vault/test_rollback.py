"""What the log says is gone stays gone: rows put back, people resurrected, a log whose end was cut off."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.cli import run
from monitor.config import Settings
from monitor.identity.vault.anchor import FileAnchor
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.keys import MasterKeys
from monitor.identity.vault.open import existing_vault, open_vault
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
    rows,
    tamper,
    template,
    url,
    vault,
)

TABLES = ("vault_identities", "vault_versions")


def remember(folder: Path) -> None:
    """Copy rows away, as whoever can read the database may."""
    tamper(folder, *(f"CREATE TABLE old_{table} AS SELECT * FROM {table}" for table in TABLES))


def put_back(folder: Path, instead: bool = True) -> None:
    """Put the copied rows back; with `instead` in the place of those that are there."""
    emptied = [f"DELETE FROM {table}" for table in reversed(TABLES)] if instead else []
    tamper(folder, *emptied, *(f"INSERT INTO {table} SELECT * FROM old_{table}" for table in TABLES))


def uses(opened: Vault, name: str) -> list[Callable[[], object]]:
    return [
        lambda: opened.load(name),
        lambda: opened.current(name),
        lambda: opened.show(name),
        lambda: opened.history(name),
        opened.list,
    ]


def refused_in_every_use(opened: Vault, name: str) -> None:
    for use in uses(opened, name):
        with pytest.raises(
            VaultError, match="changed or put back, its log says otherwise: restore the newest"
        ) as caught:
            use()
        one_line(caught)


def test_an_older_row_that_is_put_back_is_not_served(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(1), consent(), CLERK)
    remember(tmp_path)
    opened.store(JANE, template(2), consent(), CLERK)
    put_back(tmp_path)
    refused_in_every_use(opened, JANE)
    # Nor is it by who opens the vault now.
    anew = vault(tmp_path)
    refused_in_every_use(anew, JANE)
    assert len(anew.verify_entries()) == 1
    anew.close()


def test_an_erased_person_stays_erased(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(1), consent(), CLERK)
    remember(tmp_path)
    opened.erase(JANE, CHIEF)
    put_back(tmp_path)
    refused_in_every_use(opened, JANE)
    with pytest.raises(VaultError, match="put back"):
        opened.store(JANE, template(2), consent(), CLERK)
    # What was put back can be erased again, and the name be used anew.
    opened.erase(JANE, CHIEF)
    assert opened.load(JANE) is None
    opened.store(JANE, template(3), consent(), CLERK)
    assert opened.load(JANE) == template(3)
    assert opened.verify_entries() == []


def test_what_ended_or_was_rejected_is_not_served_again(tmp_path: Path, four_eyes: Vault, clock: Clock) -> None:
    four_eyes.store(JANE, template(1), consent(), CLERK)
    four_eyes.approve(JANE, CHIEF)
    four_eyes.store(JANE, template(2), consent(), CLERK)
    remember(tmp_path)
    four_eyes.reject(JANE, CHIEF)
    assert four_eyes.load(JANE) == template(1)
    put_back(tmp_path)
    # The active one is in force still; the other is not to be approved.
    assert four_eyes.load(JANE) == template(1)
    with pytest.raises(VaultError, match="put back"):
        four_eyes.approve(JANE, CHIEF)
    assert len(four_eyes.verify_entries()) == 1


def test_rows_that_are_taken_away_show(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(1), consent(), CLERK)
    opened.store(BOB, template(1), consent(), CLERK)
    (identity,) = rows(tmp_path, "SELECT identity FROM vault_versions LIMIT 1")[0]
    tamper(tmp_path, f"DELETE FROM vault_versions WHERE identity = '{identity}'")
    assert opened.verify_entries() == [identity]


def test_a_line_that_is_changed_keeps_the_vault_shut(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(1), consent(), CLERK)
    opened.store(BOB, template(1), consent(), CLERK)
    tamper(tmp_path, "UPDATE vault_audit SET time = 'x' WHERE seq = 2")
    anew = Vault(url(tmp_path), MasterKeys.local(OLD_KEY))
    with pytest.raises(VaultError, match=r"does not hold \(line 2 was changed\): nobody is compared until") as caught:
        anew.open()
    one_line(caught)
    anew.close()


def test_a_log_that_is_cut_while_it_is_in_use_stops_it(tmp_path: Path, opened: Vault) -> None:
    opened.store(JANE, template(1), consent(), CLERK)
    shutil.copy(tmp_path / "vault.sqlite", tmp_path / "kept")
    tamper(tmp_path, *(f"CREATE TABLE old_{table} AS SELECT * FROM {table}" for table in ("vault_audit_head",)))
    opened.store(BOB, template(1), consent(), CLERK)
    tamper(
        tmp_path,
        "DELETE FROM vault_audit WHERE seq = 3",
        "DELETE FROM vault_audit_head",
        "INSERT INTO vault_audit_head SELECT * FROM old_vault_audit_head",
    )
    with pytest.raises(VaultError, match="was cut or exchanged while it was in use"):
        opened.load(JANE)


def copy_of(folder: Path, name: str) -> Path:
    """Copy the whole database, as a backup does."""
    source, target = sqlite3.connect(folder / "vault.sqlite"), sqlite3.connect(folder / name)
    source.backup(target)
    source.close()
    target.close()
    return folder / name


def exchange(folder: Path, other: Path) -> None:
    for path in folder.glob("vault.sqlite*"):
        path.unlink()
    shutil.copy(other, folder / "vault.sqlite")


def test_a_cut_tail_stops_the_vault_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(state_dir=tmp_path)
    opened = open_vault(settings)
    opened.store(JANE, template(1), consent(None), CLERK)
    older = copy_of(tmp_path, "older")
    opened.erase(JANE, CHIEF)
    opened.close()
    anchor = tmp_path / "vault.anchor"
    assert stat.S_IMODE(anchor.stat().st_mode) == 0o600
    exchange(tmp_path, older)
    with pytest.raises(
        VaultError, match=r"ends at line 2, line 3 is noted in .*vault\.anchor: its end was cut off"
    ) as caught:
        open_vault(settings)
    assert "restore the newest backup" in one_line(caught)
    assert run(["doctor", "--audit", "--config", str(config(tmp_path))]) == 1
    assert "cut off" in " ".join(capsys.readouterr().out.split())
    # Whoever did it themselves says so by moving the note away.
    anchor.rename(tmp_path / "away")
    anew = open_vault(settings)
    assert anew.load(JANE) == template(1)
    anew.close()
    assert FileAnchor(anchor).read() is not None


def config(folder: Path) -> Path:
    path = folder / "sidewitness.yaml"
    path.write_text(f"state_dir: {folder}\n")
    return path


def test_a_database_that_is_exchanged_or_emptied_is_not_opened(tmp_path: Path) -> None:
    settings, other = Settings(state_dir=tmp_path), tmp_path / "other"
    opened = open_vault(settings)
    opened.store(JANE, template(1), consent(), CLERK)
    opened.close()
    for path in tmp_path.glob("vault.sqlite*"):
        path.unlink()
    with pytest.raises(VaultError, match="the vault is empty, line 2 of its log is noted in"):
        open_vault(settings)
    shutil.copytree(tmp_path, other)
    for path in (*other.glob("vault.sqlite*"), other / "vault.anchor"):
        path.unlink()
    another = open_vault(Settings(state_dir=other, vault_key_file=tmp_path / "vault.key"))
    another.store(BOB, template(1), consent(), CLERK)
    another.close()
    exchange(tmp_path, other / "vault.sqlite")
    with pytest.raises(VaultError, match="line 2 of the vault's log is not the one noted in"):
        open_vault(settings)


def test_a_note_that_cannot_be_read_or_made_is_one_line(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    open_vault(settings).close()
    (tmp_path / "vault.anchor").write_text("{")
    with pytest.raises(VaultError, match=r"vault\.anchor cannot be read as the head of a log: restore it"):
        open_vault(settings)
    with pytest.raises(VaultError, match=r"vault\.anchor cannot be written .* set SIDEWITNESS_ANCHOR_DIR"):
        open_vault(Settings(state_dir=tmp_path, anchor_dir=tmp_path / "nowhere"))


def test_whoever_only_looks_notes_nothing(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    opened = open_vault(settings)
    opened.store(JANE, template(1), consent(), CLERK)
    (tmp_path / "vault.anchor").unlink()
    existing = existing_vault(settings)
    assert existing is not None
    with existing as looked:
        looked.unlock()
        assert looked.verify_entries() == []
        assert looked.load(JANE) == template(1)
    assert not (tmp_path / "vault.anchor").exists()
    opened.close()


def test_a_head_that_cannot_be_noted_later_undoes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_vault(Settings(state_dir=tmp_path, anchor_dir=tmp_path))
    monkeypatch.setattr("monitor.identity.vault.anchor.tempfile.mkstemp", full)
    with capture_logs() as said:
        opened.store(JANE, template(1), consent(), CLERK)
    assert [line["event"] for line in said] == ["the head of the vault's log is not noted"]
    assert opened.load(JANE) == template(1)
    monkeypatch.undo()
    opened.store(BOB, template(1), consent(), CLERK)
    noted = FileAnchor(tmp_path / "vault.anchor").read()
    assert noted is not None
    assert noted.seq == 3
    opened.close()


def full(*_arguments: object, **_options: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_newer_note_of_another_process_stays(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    first, second = open_vault(settings), open_vault(settings)
    first.store(JANE, template(1), consent(), CLERK)
    second.store(BOB, template(1), consent(), CLERK)
    assert first.load(BOB) == template(1)
    noted = FileAnchor(tmp_path / "vault.anchor").read()
    assert noted is not None
    assert noted.seq == 3
    first.close()
    second.close()


@pytest.mark.parametrize("kind", ["syslog", "stderr"])
def test_heads_go_to_logs_for_whoever_collects_them(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda _priority, line: lines.append(line))
    opened = open_vault(Settings(state_dir=tmp_path, anchors=(kind,)))
    opened.store(JANE, template(1), consent(), CLERK)
    head = opened.verify_audit().head
    opened.close()
    said = lines if kind == "syslog" else capsys.readouterr().err.splitlines()
    assert any(head in line for line in said)
    assert not any(JANE in line for line in said)
    assert not (tmp_path / "vault.anchor").exists()
