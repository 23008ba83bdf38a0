"""Sinks on the command line: listed, their dead letters shown, findings sent again, and one tried in vain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor import cli
from monitor.alerts.journal import Journal
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.dead import DeadLetters
from tests.monitor.alerts.build import finding, ready_journal


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A journal of three findings, a sink that has had two and refused one of them, and one that has had none."""
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    journal = ready_journal(tmp_path)
    for name in "abc":
        journal.append(finding(name))
    Cursors(journal).begin("siem", 2)
    DeadLetters(journal).add("siem", 2, "the receiver refuses it (400)")
    journal.close()
    path = tmp_path / "sidewitness.yaml"
    path.write_text(
        "sinks:\n  - {kind: splunk, name: siem, url: 'https://127.0.0.1:1', token: hunter2}\n"
        f"  - {{kind: jsonl, path: {tmp_path}/no/such/folder}}\n"
    )
    return f"--config={path}"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.run(["sinks", *arguments, "--json"]) == 0
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def test_sinks_are_listed(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "list", config) == {
        "newest": 3,
        "sinks": [
            {"name": "siem", "kind": "splunk", "cursor": 2, "waiting": 1, "dead_letters": 1},
            {"name": "jsonl", "kind": "jsonl", "cursor": None, "waiting": None, "dead_letters": 0},
        ],
    }
    assert cli.run(["sinks", "list", config]) == 0
    shown = capsys.readouterr().out
    assert "siem" in shown
    assert "hunter2" not in shown


def test_dead_letters_are_shown_and_sent_again(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (letter,) = said(capsys, "dead", "siem", config)["dead_letters"]
    assert (letter["seq"], letter["why"], letter["finding"], letter["action"]) == (
        2, "the receiver refuses it (400)", "b", "opened",
    )  # fmt: skip
    assert cli.run(["sinks", "dead", "siem", config]) == 0
    assert "refuses" in capsys.readouterr().out
    assert said(capsys, "replay", "siem", "--after=1", config) == {"sink": "siem", "after": 1, "waiting": 2}
    assert said(capsys, "dead", "siem", config) == {"dead_letters": []}
    # One that has never run begins there.
    assert said(capsys, "replay", "jsonl", "--after=0", config)["waiting"] == 3
    journal = Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    assert [Cursors(journal).read(name) for name in ("siem", "jsonl")] == [1, 0]
    journal.close()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["replay", "siem", "--after=4"], 2, "the newest finding is 3"),
        (["replay", "nobody", "--after=0"], 2, "no sink is named 'nobody': there are siem, jsonl"),
        (["dead", "nobody"], 2, "no sink is named 'nobody'"),
        (["test", "nobody"], 2, "no sink is named 'nobody'"),
        (["test", "siem"], 1, "private address: set allow_private"),
        (["test", "jsonl"], 1, "the file of the sink cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], status: int, message: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sinks", *arguments, config]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert "hunter2" not in line
