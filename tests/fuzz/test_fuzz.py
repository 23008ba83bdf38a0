"""A short look of every target: its seeds, and a few inputs, the same ones every time. `make fuzz` looks for longer."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz import child, run
from tests.fuzz.table import TARGETS
from tests.fuzz.target import SEEDS, Target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_only_documented_errors_come_out(target: Target) -> None:
    """A seed is well-formed, or was found once: what begins with refused inputs never gets far into a parser."""
    accepted = [target.accepts(seed) for seed in target.seeds]
    assert any(accepted)
    for data in islice(target.inputs(), target.glances):
        target.accepts(data)


def test_every_folder_of_seeds_is_of_a_target() -> None:
    names = [target.name for target in TARGETS]
    assert sorted(path.name for path in SEEDS.iterdir()) == sorted(names)
    assert len(set(names)) == len(names)


def test_inputs_are_the_same_every_time_and_other_ones_elsewhere() -> None:
    first, again, elsewhere = (list(islice(TARGETS[0].inputs(start), 50)) for start in (0, 0, 1))
    assert first == again
    assert first != elsewhere
    assert len(set(first)) > 40


def divide(data: bytes) -> None:
    """Documented where an input is short, and wrong where it is long."""
    if len(data) < 4000:
        raise ValueError("documented")
    raise ZeroDivisionError


def test_what_is_not_documented_is_found_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = Target("proxy", divide, (ValueError,))
    with pytest.raises(ZeroDivisionError):
        list(map(wrong.accepts, islice(wrong.inputs(), wrong.glances)))
    monkeypatch.setattr("tests.fuzz.table.TARGETS", (wrong,))
    with pytest.raises(ZeroDivisionError):
        child.blindly("proxy", 30.0, tmp_path / "found")
    assert len((tmp_path / "found" / "input.bin").read_bytes()) >= 4000


def test_the_command_fails_where_something_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that breaks down is a find, whatever ended it; a target that is not there is a mistake."""
    monkeypatch.setattr(run, "CACHE", tmp_path)
    target = Target("proxy", divide)
    for program, status in (("print('number_of_executed_units: 12')", True), ("import os; os.abort()", False)):
        monkeypatch.setattr(run, "command_for", lambda *_, program=program: [sys.executable, "-c", program])
        assert run.attack(target, 1) is status
    shown = capsys.readouterr().out
    assert "12 inputs, nothing found" in shown
    assert "FOUND (status -6)" in shown
    assert run.main(["1", "nothing"]) == 2
