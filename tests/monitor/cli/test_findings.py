"""Findings on the command line: listed, shown, labelled, exported and measured, reported and verified."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor import cli
from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Journal
from monitor.cli import reports
from monitor.config import Settings
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.vault import Vault
from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.report.build import changes

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal with one finding."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(folder))
    journal = ready_journal(folder)
    for change in changes():
        journal.append(change)
    journal.close()
    return folder


def said(capsys: Out, *arguments: str, status: int = 0) -> dict[str, Any]:
    assert cli.run(["findings", *arguments, "--json"]) == status
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def refused(capsys: Out, *arguments: str) -> str:
    assert cli.run(["findings", *arguments]) in (1, 2)
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    return told


def test_findings_are_listed_shown_and_labelled(capsys: Out) -> None:
    [one] = said(capsys, "list")["findings"]
    assert (one["id"], one["participant"], one["state"], one["changes"]) == ("e", "p1", "open", 2)
    assert said(capsys, "label", "e", "false", "--note", "called her", "--by", "jo")["case"]["label"] == "false"
    assert cli.run(["findings", "label", "e", "true"]) == 0
    capsys.readouterr()
    shown = said(capsys, "show", "e")
    assert shown["events"][0]["actor"] == "jo"
    assert (shown["case"]["label"], len(shown["changes"])) == ("true", 2)
    assert said(capsys, "list", "--label", "none")["findings"] == []
    for arguments in (["list"], ["show", "e"]):
        assert cli.run(["findings", *arguments]) == 0
    assert "labelled" in capsys.readouterr().out


def test_what_cannot_be_is_one_line(capsys: Out) -> None:
    assert "true, false or unsure" in refused(capsys, "label", "e", "maybe")
    assert "no such finding" in refused(capsys, "show", "nothing")
    assert ".html or .pdf" in refused(capsys, "report", "e", "--out", "report.txt")


def test_labels_are_exported_and_evaluated(tmp_path: Path, capsys: Out) -> None:
    said(capsys, "label", "e", "false")
    file = str(tmp_path / "labels.csv")
    assert said(capsys, "export", "--labels", file)["labels"] == 1
    assert cli.run(["findings", "export", "--labels", file]) == 0
    capsys.readouterr()
    out = str(tmp_path / "out")
    assert cli.run(["evaluate", "--labels", file, "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(row["detector"], row["week"], row["false"]) for row in told["precision"]] == [
        ("synchrony", "2026-W09", 1), ("synchrony", "all", 1), ("all", "2026-W09", 1), ("all", "all", 1),
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "precision.json").read_text()) == told
    assert cli.run(["evaluate", "--labels", file, "--out", out]) == 0
    assert "Precision of 1 labelled findings" in capsys.readouterr().out
    assert cli.run(["evaluate", "clips.csv", "--labels", file]) == 2
    assert cli.run(["evaluate", "--labels", str(tmp_path / "absent.csv")]) == 2


def test_a_label_of_a_finding_that_is_gone_is_told(state: Path, tmp_path: Path, capsys: Out) -> None:
    said(capsys, "label", "e", "false")
    journal = Journal(f"sqlite:///{state / 'journal.sqlite'}")
    with journal.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM findings")
    journal.close()
    assert said(capsys, "export", "--labels", str(tmp_path / "l.csv"))["no_longer_kept"] == 1


@pytest.fixture
def report(tmp_path: Path, capsys: Out) -> Path:
    path = tmp_path / "report.html"
    assert re.fullmatch(r"([0-9a-f]{4}-){7}[0-9a-f]{4}", said(capsys, "report", "e", "--out", str(path))["key"])
    return path


def test_a_report_holds_and_every_change_of_it_is_told(report: Path, tmp_path: Path, capsys: Out) -> None:
    told = said(capsys, "verify", str(report))
    assert (told["ok"], told["finding"], told["rows"], told["in_journal"]) == (True, "e", 2, True)
    assert cli.run(["report", "verify", str(report)]) == 0
    assert "signed by this installation; 2 rows" in capsys.readouterr().out
    other = tmp_path / "other.html"
    other.write_bytes(report.read_bytes().replace(b"p1", b"p2"))
    assert "changed after it was signed" in refused(capsys, "verify", str(other))
    assert "last line" in refused(capsys, "verify", str(Path(__file__)))
    assert "cannot be read" in refused(capsys, "verify", str(tmp_path / "absent"))


def test_elsewhere_the_fingerprint_says_whose_it_is(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    key = said(capsys, "verify", str(report))["key"]
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "elsewhere"))
    assert "not of this installation" in said(capsys, "verify", str(report), status=1)["faults"][0]
    told = said(capsys, "verify", str(report), "--key", key)
    assert (told["ok"], told["in_journal"]) == (True, None)
    assert "another key" in said(capsys, "verify", str(report), "--key", "0" * 39, status=1)["faults"][0]
    # Looking makes nothing.
    assert not (tmp_path / "elsewhere").exists()


def test_a_journal_that_holds_another_finding_in_its_place_is_told(report: Path, state: Path, capsys: Out) -> None:
    journal = Journal(f"sqlite:///{state / 'journal.sqlite'}")
    with journal.transaction() as connection:
        connection.exec_driver_sql("UPDATE findings SET hash = zeroblob(32)")
    journal.close()
    told = said(capsys, "verify", str(report), status=1)
    assert told["faults"] == ["the journal here holds another finding in its place"]


def test_without_names_nobody_is_in_the_file(tmp_path: Path, capsys: Out) -> None:
    path = tmp_path / "report.html"
    said(capsys, "report", "e", "--out", str(path), "--without-names")
    text = path.read_text()
    for name in ("Ada", "board", "p1<", '"p1"'):
        assert name not in text
    assert said(capsys, "verify", str(path))["rows"] == 2


@pytest.mark.skipif(not any(map(shutil.which, reports.BROWSERS)), reason="no browser prints here")
def test_a_report_in_pdf_is_signed_too(tmp_path: Path, capsys: Out) -> None:
    path = tmp_path / "report.pdf"
    said(capsys, "report", "e", "--out", str(path))
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    # Readers look for the end of the file in its last kilobyte.
    assert b"%%EOF" in content[-1024:]
    told = said(capsys, "verify", str(path))
    assert (told["ok"], told["rows"]) == (True, 0)
    path.write_bytes(content.replace(b"%%EOF", b"%%EOG", 1))
    assert "changed" in refused(capsys, "verify", str(path))


def test_without_a_browser_pdf_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "write report.html" in refused(capsys, "report", "e", "--out", str(tmp_path / "report.pdf"))


@pytest.fixture
def vault(state: Path) -> Iterator[Vault]:
    """A vault, and in the place of the journal one that it has signed."""
    with closing(open_vault(Settings(state_dir=state))) as made:
        (state / "journal.sqlite").unlink()
        for more in ("-wal", "-shm"):
            (state / f"journal.sqlite{more}").unlink(missing_ok=True)
        (state / "journal.anchor").unlink(missing_ok=True)
        with closing(Journal(f"sqlite:///{state / 'journal.sqlite'}", sign=made.sign_finding)) as journal:
            journal.open()
            journal.append(changes()[0])
        yield made


def test_what_the_sidecar_wrote_is_read_with_its_key(state: Path, vault: Vault, capsys: Out) -> None:
    """A label given here is as good as one of a running server: signed with the key of the vault, where it has one."""
    said(capsys, "label", "e", "true")
    with closing(Journal(f"sqlite:///{state / 'journal.sqlite'}", sign=vault.sign_finding)) as journal:
        assert Casework(journal, vault.sign_finding).of("e").changed == ()
        assert Casework(journal, vault.sign_finding).verify().faults == ()


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (("findings", "erase", "--call", "board", "--participant", "p1"), "participant"),
        (("identities", "erase", "Ada"), "person"),
    ],
)
def test_every_command_that_erases_findings_writes_a_line_in_the_audit_log(
    vault: Vault, tmp_path: Path, capsys: Out, command: tuple[str, ...], cause: str
) -> None:
    assert cli.run([*command, "--receipt", str(tmp_path / "erased.json"), "--yes", "--actor", "ops"]) == 0
    [line] = [line for line in vault.audit() if line.action != "created"]
    detail = json.loads(line.detail)
    assert (line.action, line.actor, line.identity) == ("findings_erased", "ops", "")
    assert (detail["cause"], detail["findings"], detail["changes"]) == (cause, 1, 1)
    assert not [name for name in ("Ada", "board", "p1") if name in line.detail]
    capsys.readouterr()
    assert cli.run(["doctor", "--audit", "--json"]) == 0, capsys.readouterr().out


def test_a_drill_takes_no_label(state: Path, capsys: Out) -> None:
    journal = ready_journal(state)
    handling = {"kind": "finding", "drill": True, "notify": None, "severity": "low"}
    journal.append(replace(changes()[0], id="exercise", handling=handling))
    journal.close()
    assert "this is a drill" in refused(capsys, "label", "exercise", "false")
    assert said(capsys, "show", "exercise")["case"]["label"] is None


def test_a_participant_is_erased_and_the_receipt_is_a_new_file_of_its_owner(capsys: Out, tmp_path: Path) -> None:
    out = tmp_path / "erased.json"
    whom = ("--call", "board", "--participant", "p1", "--receipt", str(out), "--yes")
    assert cli.run(["findings", "label", "e", "true"]) == 0
    capsys.readouterr()
    told = said(capsys, "erase", *whom)
    assert json.loads(out.read_text()) == told
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert (told["findings"], told["labels"], told["cleaned"]) == (["e"], 1, True)
    assert said(capsys, "list")["findings"] == []
    [line] = said(capsys, "erasures")["erasures"]
    assert (line["id"], line["changes"]) == (told["id"], 2)
    assert cli.run(["findings", "erasures"]) == 0
    capsys.readouterr()
    # Nothing is erased of which no receipt can be written, and none is left of what was not erased.
    assert "name a new file" in refused(capsys, "erase", *whom)
    out.unlink()
    assert "no findings are kept" in refused(capsys, "erase", *whom)
    assert not out.exists()
    assert cli.run(["doctor", "--audit", "--json"]) in (0, 1)
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["findings"]["state"] == "ok", checks


def test_a_person_is_erased_with_their_findings_where_a_receipt_is_wanted(capsys: Out, tmp_path: Path) -> None:
    out = tmp_path / "erased.json"
    [one] = said(capsys, "list")["findings"]
    name = one["identity"]
    assert cli.run(["identities", "erase", name, "--yes"]) == 1
    assert "enrolled" in capsys.readouterr().err
    assert cli.run(["identities", "erase", name, "--receipt", str(out), "--yes", "--actor", "ops"]) == 0
    assert name not in capsys.readouterr().out
    told = json.loads(out.read_text())
    assert (told["enrolment"], told["findings"]["findings"], told["findings"]["erased_by"]) == (None, ["e"], "ops")
    assert name not in out.read_text()
    assert said(capsys, "list")["findings"] == []
    assert cli.run(["identities", "erase", name, "--receipt", str(tmp_path / "again.json"), "--yes"]) == 1
    assert not (tmp_path / "again.json").exists()
