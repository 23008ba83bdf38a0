"""`sidewitness db`: from files to a server and back with everything that holds, and what stops it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.casework.events import EventKind, NewEvent
from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Journal
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.dead import DeadLetters
from monitor.api.access.claims import granted, ordered
from monitor.api.access.register import Register
from monitor.cli import run
from monitor.config import Settings, load
from monitor.identity.vault.anchor import open_anchors
from monitor.identity.vault.consent import Consent
from monitor.identity.vault.open import open_vault
from tests.monitor.alerts.build import finding

FINDINGS = 12
Command = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def command(state: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command with --json: its exit status, what it told, and its errors."""

    def ask(*arguments: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        status = run(["db", *arguments, "--json"])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return ask


def fill() -> None:
    """Something in every table, by the product's own parts, wherever the settings keep it."""
    settings = load()
    vault = open_vault(settings)
    consent = Consent("Jane Doe", date(2026, 2, 1), None, "protection in calls", "ab" * 32)
    for version in range(3):
        vault.store("Jane Doe", bytes([version]) * 3000, consent, "clerk")
    vault.store("Bob", b"b" * 9, consent, "clerk")
    vault.erase("Bob", "clerk")
    anchors = {log: open_anchors(settings.anchors, settings.state_dir, log) for log in ("journal", "casework")}
    journal = Journal(settings.journal_url, FINDINGS - 2, vault.sign_finding, anchors["journal"])
    journal.open()
    for n in range(FINDINGS):
        journal.append(finding(f"e{n}"))
    casework = Casework(journal, vault.sign_finding, anchors["casework"])
    casework.append(NewEvent("e5", EventKind.LABELLED, "Añn", {"label": "false", "text": "it was her ☎"}))
    Cursors(journal).begin("siem", 7)
    DeadLetters(journal).add("siem", 3, "refused")
    Register(journal).add(granted(ordered("alice", "admin"), "id-1", 1_770_000_000), "root", 1_770_000_000)
    journal.close()
    vault.close()


def held(settings: Settings) -> dict[str, Any]:
    """What is read of everything, by the product's own parts."""
    vault = open_vault(settings)
    journal = Journal(settings.journal_url, sign=vault.sign_finding)
    casework = Casework(journal, vault.sign_finding)
    found = {
        "findings": journal.read(0),
        "head": journal.head(),
        "case": casework.of("e5").case,
        "cursors": Cursors(journal).all(),
        "letters": [letter.seq for letter in DeadLetters(journal).list("siem")],
        "tokens": Register(journal).list(),
        "jane": vault.load("Jane Doe"),
        "history": [version.state for version in vault.history("Jane Doe")],
        "receipts": [receipt.id for receipt in vault.receipts("Bob")],
        "audit": [(entry.seq, entry.action, entry.actor) for entry in vault.audit()],
        "faults": (*journal.verify().faults, *casework.verify().faults, vault.verify_audit().broken),
    }
    journal.close()
    vault.close()
    return found


def test_from_files_to_a_server_and_back(
    command: Command, state: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill()
    before = held(load())
    monkeypatch.setenv("SIDEWITNESS_DATABASE_URL", postgres_url)
    status, told, err = command("copy", "--from", "sqlite", "--to", "postgresql")
    assert (status, told["ok"], told["faults"], err) == (0, True, [], "")
    assert (told["from"], told["to"], told["unsigned"]) == ("sqlite", "postgresql", None)
    assert (told["rows"]["findings"], told["rows"]["vault_versions"]) == (FINDINGS - 1 - 1, 3)
    assert {name: chain["faults"] for name, chain in told["chains"].items()} == {
        "audit": [],
        "findings": [],
        "cases": [],
    }
    assert held(load()) == before
    # It goes on there: numbers, versions and lines follow.
    journal = Journal(postgres_url)
    assert journal.append(finding("later")) == FINDINGS + 1
    journal.close()

    back = tmp_path / "back"
    monkeypatch.delenv("SIDEWITNESS_DATABASE_URL")
    status, told, _ = command("copy", "--from", postgres_url, "--to", str(back))
    # Whoever wrote the last one had no key.
    assert (status, told["faults"]) == (1, ["finding 13 was changed", "the head was not written by this sidecar"])
    assert {path.name for path in back.iterdir()} >= {"journal.sqlite", "vault.sqlite"}
    assert all(path.stat().st_mode & 0o77 == 0 for path in (back, *back.iterdir()))
    returned = held(load().model_copy(update={"state_dir": back, "vault_key_file": state / "vault.key"}))
    assert {name: returned[name] for name in ("jane", "audit", "tokens", "case", "cursors")} == {
        name: before[name] for name in ("jane", "audit", "tokens", "case", "cursors")
    }
    assert returned["findings"][:-1] == before["findings"]


def test_a_place_that_holds_something_is_not_written_over(command: Command, postgres_url: str) -> None:
    fill()
    assert command("copy", "--from", "sqlite", "--to", postgres_url)[0] == 0
    status, told, err = command("copy", "--from", "sqlite", "--to", postgres_url)
    assert (status, told) == (1, None)
    assert "holds something already" in err
    status, _, err = command("copy", "--from", "sqlite", "--to", "sqlite")
    assert (status, "the same database" in err) == (2, True)


def test_what_went_wrong_on_the_way_leaves_nothing(
    command: Command, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    answers = iter(range(1000))
    monkeypatch.setattr("monitor.storage.copying.digest", lambda *_: str(next(answers)))
    status, told, err = command("copy", "--from", "sqlite", "--to", postgres_url)
    assert (status, told) == (1, None)
    assert "nothing was copied" in err
    monkeypatch.undo()
    status, told, _ = command("check", "--database", postgres_url)
    assert {name: count for part in told["parts"] for name, count in part["rows"].items() if count > 1} == {}


def test_a_log_with_a_hole_is_not_copied(command: Command, state: Path, postgres_url: str) -> None:
    fill()
    with closing(sqlite3.connect(state / "vault.sqlite")) as database:
        database.execute("DROP TRIGGER vault_audit_no_delete")
        database.execute("DELETE FROM vault_audit WHERE seq = 2")
        database.commit()
    status, _, err = command("copy", "--from", "sqlite", "--to", postgres_url)
    assert status == 1
    assert "has a hole" in err


def test_nothing_to_copy_and_an_address_that_is_none(command: Command, postgres_url: str, tmp_path: Path) -> None:
    status, _, err = command("copy", "--from", str(tmp_path / "nowhere"), "--to", postgres_url)
    assert (status, "no journal to copy" in err) == (1, True)
    assert not (tmp_path / "nowhere").exists()
    status, _, err = command("copy", "--from", "sqlite", "--to", "postgresql")
    assert (status, "SIDEWITNESS_DATABASE_URL" in err) == (2, True)
    status, _, err = command("copy", "--from", "sqlite", "--to", "mysql://u:hunter2@h/d")
    assert (status, "hunter2" in err, "names no database" in err) == (2, False, True)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tables_are_made_before_anybody_serves(
    kind: str, command: Command, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "postgresql":
        monkeypatch.setenv("SIDEWITNESS_DATABASE_URL", request.getfixturevalue("postgres_url"))
    status, told, _ = command("check")
    assert (status, [part["state"] for part in told["parts"]]) == (0, ["absent"] * 4)
    status, told, _ = command("upgrade")
    assert (status, told["database"]) == (0, kind)
    assert {part["from"] for part in told["parts"]} == {None}
    status, told, _ = command("check")
    assert (status, [part["state"] for part in told["parts"]]) == (0, ["ok"] * 4)
    # Tables are no vault: that is made, with its key, when somebody is to be enrolled.
    assert "audit" not in told["chains"]
    assert run(["findings", "list"]) == 0
    fill()
    status, told, _ = command("check")
    assert (status, told["ok"], set(told["chains"])) == (0, True, {"audit", "findings", "cases"})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_change_behind_its_back_and_an_older_version_are_told(
    kind: str, command: Command, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "postgresql":
        monkeypatch.setenv("SIDEWITNESS_DATABASE_URL", request.getfixturevalue("postgres_url"))
    fill()
    journal = Journal(load().journal_url)
    with journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE findings SET verdict = 'suspect' WHERE seq = 9")
    status, told, err = command("check")
    assert (status, told["ok"], told["faults"], err) == (1, False, ["finding 9 was changed"], "")
    with journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    journal.close()
    status, told, _ = command("check")
    assert (status, told["parts"][0]["state"]) == (1, "old")
    assert told["faults"] == ["findings: tables of another version: run `sidewitness db upgrade`"]


def test_without_the_master_key_hashes_are_checked_alone(command: Command, state: Path) -> None:
    fill()
    (state / "vault.key").rename(state / "elsewhere.key")
    status, told, _ = command("check")
    assert (status, told["faults"]) == (0, [])
    assert told["unsigned"]


def test_a_server_that_may_lose_what_was_told_is_said(
    command: Command, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, told, _ = command("check", "--database", postgres_url)
    # The server of these tests waits for no disk.
    assert status == 0
    assert [warning.split(": ")[0] for warning in told["warnings"]] == [
        "the server has fsync = off",
        "the server has full_page_writes = off",
    ]
    assert run(["db", "check", "--database", postgres_url]) == 0
    assert "note: the server has fsync = off" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_one_line(command: Command) -> None:
    address = "postgresql+psycopg://ada:hunter2@127.0.0.1:1/d"
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: install the extra `postgres`")
    status, told, err = command("check", "--database", address)
    assert (status, told) == (1, None)
    assert err == ("error: database: the database cannot be reached: see that it runs and that database_url names it\n")
