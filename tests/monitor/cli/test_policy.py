"""`sidewitness policy`: faults in a line each, and a journal played against a policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.alerts.journal import Journal
from monitor.alerts.plain import encode
from monitor.alerts.wire import finding_message
from monitor.cli import run
from tests.monitor.alerts.policy.build import change

POLICY = "groups: [{name: board, people: [Jane Doe], at_alert: {notify: [soc], actions: [mute]}, cool_down: 5 min}]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_a_policy_that_can_be_used(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "check", str(file)]) == 0
    assert capsys.readouterr().out == "the policy can be used: 1 groups\n"
    assert run(["policy", "check", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "faults": []}


def test_every_fault_is_a_line(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("groups: [{name: board}, {name: x, calls: [a], cool_down: soon}]\nlinks: 3\n")
    assert run(["policy", "check", str(file)]) == 1
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "board",
        "x.cool_down",
        "links",
    ]
    file.write_text(POLICY)
    settings = tmp_path / "settings.yaml"
    settings.write_text("sinks: [{kind: jsonl, path: /tmp/x}]\n")
    assert run(["policy", "check", str(file), "--config", str(settings)]) == 1
    assert capsys.readouterr().out == "board: no sink is named 'soc': there are jsonl\n"
    assert run(["policy", "check", str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_journal_is_played_against_a_policy(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = tmp_path / "journal.sqlite"
    journal = Journal(f"sqlite:///{database}")
    journal.open()
    for change_ in (change("opened", 1), change("closed", 2, step=1), change("opened", 3, "g")):
        journal.append(change_)
    journal.close()
    assert run(["policy", "simulate", str(file), "--journal", str(database), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["finding"], row["action"], row["told"], row["actions"]) for row in rows] == [
        ("f", "opened", ["soc"], ["mute"]),
        ("f", "closed", ["soc"], []),
        ("g", "opened", [], []),
    ]
    assert run(["policy", "simulate", str(file), "--journal", str(database)]) == 0
    shown = capsys.readouterr().out
    assert "soc: told of 1 episodes" in shown
    assert "mute: ordered 1 times" in shown
    assert run(["policy", "simulate", str(file), "--journal", str(tmp_path / "none.sqlite")]) == 1
    assert "there is no journal" in capsys.readouterr().err


def test_findings_of_a_file_are_played(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = tmp_path / "findings.jsonl"
    lines.write_text(encode(finding_message(1, change("opened", 1))) + '\n{"type": "gap", "after": 3}\n')
    assert run(["policy", "simulate", str(file), str(lines), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["told"] == ["soc"]
    assert run(["policy", "simulate", str(file), str(lines), "--journal", str(lines)]) == 2
    assert "not both" in capsys.readouterr().err
    lines.write_text("nonsense\n")
    assert run(["policy", "simulate", str(file), str(lines)]) == 1
    assert "line 1: no message of the sink jsonl" in capsys.readouterr().err
    file.write_text("groups: 3")
    assert run(["policy", "simulate", str(file), str(lines)]) == 2
    assert "see `sidewitness policy check`" in capsys.readouterr().err
