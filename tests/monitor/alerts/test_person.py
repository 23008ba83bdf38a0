"""Everything of one person, nothing of another."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.alerts.casework.events import EventKind, NewEvent
from monitor.alerts.casework.store import Casework
from monitor.alerts.privacy.person import held
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.dead import DeadLetters
from monitor.cli import identities
from tests.monitor.alerts.build import finding, ready_journal
from tests.monitor.identity.build import CLERK, JANE, consent, template, vault


def test_all_that_is_held_of_somebody_and_where_it_went(tmp_path: Path) -> None:
    journal, opened = ready_journal(tmp_path), vault(tmp_path)
    for name in (JANE, "Paul Poe"):
        opened.store(name, template(), consent(), CLERK)
        claimed = finding(f"claims-{name}")
        journal.append(replace(claimed, key=replace(claimed.key, participant="p1", identity=name)))
    named = finding("took-part")
    journal.append(replace(named, key=replace(named.key, participant=JANE, identity=None)))
    casework = Casework(journal)
    for name in (JANE, "Paul Poe"):
        casework.append(NewEvent(f"claims-{name}", EventKind.NOTED, "ann", {"text": f"of {name}"}))
    Cursors(journal).begin("siem", 3)
    Cursors(journal).begin("chat", 0)
    DeadLetters(journal).add("siem", 3, "refused")
    given = held(JANE, journal, casework, opened)
    assert (given["name"], given["identity"]["name"], len(given["enrolments"])) == (JANE, JANE, 1)
    assert [line["action"] for line in given["audit"]] == ["enrolled"]
    assert [message["id"] for message in given["findings"]] == [f"claims-{JANE}", "took-part"]
    assert [event["details"]["text"] for event in given["cases"]] == [f"of {JANE}"]
    assert given["sent"] == [{"sink": "siem", "findings": 1, "newest": 1}]
    assert "Paul" not in json.dumps(given)
    opened.erase(JANE, CLERK)
    after = held(JANE, journal, casework, opened)
    assert (after["identity"], after["enrolments"], len(after["receipts"])) == (None, [], 1)
    assert [line["action"] for line in after["audit"]] == ["enrolled", "erased"]
    assert held("nobody", journal, casework, opened)["findings"] == []
    opened.close()
    journal.close()


def test_the_command_writes_a_file_of_its_owner_and_over_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    out = tmp_path / "jane.json"
    done = CliRunner().invoke(identities.app, ["export", JANE, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert json.loads(out.read_text())["name"] == JANE
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    again = CliRunner().invoke(identities.app, ["export", JANE, "--out", str(out)])
    assert again.exit_code != 0
    assert "name a new file" in str(again.exception)
