"""`sidewitness identities` and `doctor --audit` as a person meets them."""

from __future__ import annotations

import getpass
import json
import os
import sqlite3
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from monitor import cli
from monitor.config import Settings
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.vault import Vault, utc_now
from tests.monitor.identity.build import BOB, CHIEF, CLERK, JANE, consent, tamper, template

FAR = utc_now().date().replace(year=utc_now().year + 1, day=1)


@pytest.fixture(autouse=True)
def _settings_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("SIDEWITNESS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Vault]:
    made = open_vault(Settings(state_dir=tmp_path, second_approver=True))
    yield made
    made.close()


@pytest.fixture
def enrolled(opened: Vault) -> Vault:
    opened.store(JANE, template(), consent(FAR), CLERK)
    opened.approve(JANE, CHIEF)
    opened.store(JANE, template(1), consent(FAR), CLERK)
    return opened


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert cli.run(["identities", *words]) == status
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(said(capsys, *words, "--json"))


def complaint(capsys: pytest.CaptureFixture[str], *words: str, status: int = 1) -> str:
    assert cli.run(list(words)) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_list_show_and_history(enrolled: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "list")
    assert JANE in text
    assert "version 2 waits for approval" in text
    (row,) = told(capsys, "list")["identities"]
    assert (row["name"], row["state"], row["version"]["version"], row["pending"]) == (JANE, "active", 1, 2)
    text = said(capsys, "show", JANE)
    assert all(word in text for word in (JANE, "active", CLERK, CHIEF, "protection in calls", FAR.isoformat()))
    assert told(capsys, "show", JANE) == row
    text = said(capsys, "history", JANE)
    assert all(word in text for word in ("pending_approval", "active", CLERK, CHIEF, FAR.isoformat()))
    states = [version["state"] for version in told(capsys, "history", JANE)["versions"]]
    assert states == ["pending_approval", "active"]


def test_nobody_is_enrolled(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "list") == {"identities": []}
    for command in ("show", "history", "erase", "approve", "reject"):
        options = ["--yes"] if command == "erase" else []
        text = complaint(capsys, "identities", command, JANE, *options)
        assert "nobody is enrolled" in text
        assert JANE not in text


def test_approve_and_reject(enrolled: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    assert "somebody else" in complaint(capsys, "identities", "approve", JANE, "--actor", CLERK)
    assert "version 2 is active" in said(capsys, "approve", JANE, "--actor", CHIEF)
    assert enrolled.load(JANE) == template(1)
    enrolled.store(BOB, template(), consent(FAR), CLERK)
    assert told(capsys, "reject", BOB) == {"version": 1, "state": "rejected"}
    assert enrolled.audit()[-1].actor == getpass.getuser()


def test_erase_asks_first(enrolled: Vault, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    assert cli.run(["identities", "erase", JANE]) == cli.INTERRUPTED
    assert enrolled.load(JANE) is not None
    capsys.readouterr()
    receipt = told(capsys, "erase", JANE, "--yes", "--actor", CHIEF)
    assert (receipt["destroyed"], receipt["erased_by"], receipt["cleaned"]) == (2, CHIEF, True)
    assert enrolled.load(JANE) is None
    assert told(capsys, "receipts", JANE) == told(capsys, "receipts") == {"receipts": [receipt]}
    assert told(capsys, "receipts", BOB) == {"receipts": []}
    text = said(capsys, "receipts")
    assert receipt["id"] in text
    assert JANE not in text


def test_erase_prints_a_receipt(tmp_path: Path, enrolled: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "erase", JANE, "--yes")
    assert enrolled.receipts()[0].id in text
    assert JANE not in text


def test_erase_tells_of_a_reader_in_the_way(
    tmp_path: Path, enrolled: Vault, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.identity.vault.database.BUSY_SECONDS", 0.01)
    reader = sqlite3.connect(tmp_path / "vault.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM vault_versions").fetchall()
    assert cli.run(["identities", "erase", JANE, "--yes"]) == 0
    assert "at the next sweep" in capsys.readouterr().err
    reader.close()


def test_audit_log(enrolled: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "audit")
    assert all(word in text for word in ("created", "enrolled", "approved", CLERK, CHIEF))
    lines = told(capsys, "audit", "--after", "1", "--limit", "2")["audit"]
    assert [(line["seq"], line["action"], line["detail"]["version"]) for line in lines] == [
        (2, "enrolled", 1),
        (3, "approved", 1),
    ]


def test_sweep_and_rotate(enrolled: Vault, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(capsys, "sweep") == {"destroyed": 0}
    assert "destroyed: 0" in said(capsys, "sweep")
    assert told(capsys, "rotate-key") == {"wrapped": 3}
    assert "new master key: 3" in said(capsys, "rotate-key")
    assert enrolled.load(JANE) == template()
    monkeypatch.setattr("monitor.identity.vault.open.rotate", lambda *_: 0)
    assert "already" in said(capsys, "rotate-key")


def test_a_user_without_a_name(
    enrolled: Vault, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert told(capsys, "reject", JANE)["state"] == "rejected"
    assert enrolled.audit()[-1].actor == "unknown user"


def doctor(capsys: pytest.CaptureFixture[str], status: int = 0) -> dict[str, str]:
    assert cli.run(["doctor", "--audit", "--json"]) == status
    check, findings = json.loads(capsys.readouterr().out)["checks"]
    assert findings["name"] == "findings"
    assert isinstance(check, dict)
    assert check["name"] == "audit log"
    return check


def test_doctor_verifies_the_audit_log(tmp_path: Path, enrolled: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"4 lines hold, head {enrolled.audit()[-1].hash.hex()}" in doctor(capsys)["detail"]
    tamper(tmp_path, "UPDATE vault_audit SET action = 'enrolled' WHERE seq = 3")
    check = doctor(capsys, 1)
    assert check["detail"] == "breaks at line 3: line 3 was changed"
    assert check["remedy"]


def test_doctor_without_a_vault_makes_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no vault" in doctor(capsys)["detail"]
    assert list(tmp_path.iterdir()) == []


def test_doctor_without_the_key(tmp_path: Path, opened: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "vault.key"
    text = key.read_text()
    key.unlink()
    check = doctor(capsys, 1)
    assert check["detail"].startswith("1 lines follow, but who wrote them:")
    assert "restore" in check["remedy"]
    assert not key.exists()
    key.write_text(text)
    key.chmod(0o644)
    assert "chmod 600" in doctor(capsys, 1)["remedy"]


def test_doctor_with_a_file_that_is_no_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "vault.sqlite").write_bytes(b"x" * 5000)
    assert "the file is no vault" in doctor(capsys, 1)["detail"]


def test_doctor_looks_at_the_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from monitor.cli.checks.vault import vault

    settings = Settings(state_dir=tmp_path)
    assert vault(settings).state == "ok"
    assert list(tmp_path.iterdir()) == []
    open_vault(settings).close()
    assert vault(settings).detail == "opens with the master key"
    (tmp_path / "vault.key").unlink()
    check = vault(settings)
    assert (check.state, check.remedy) == ("failed", "restore the vault's key file")
