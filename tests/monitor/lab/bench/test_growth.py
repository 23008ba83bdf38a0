"""One process beside several: what is made of the two searches; no timing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from monitor.lab.bench import capacity, growth, host_kill, run
from monitor.lab.bench.budgets import GROWTH, KILL_AGAIN, KILL_TOLD
from monitor.lab.bench.capacity import Capacity, CapacityStep
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.growth import Growth
from monitor.lab.bench.host_kill import HostKill
from monitor.lab.bench.plots import draw
from monitor.lab.bench.processes import BenchSetup
from monitor.lab.bench.result import BenchResult, growth_notes, growth_rows, kill_rows
from monitor.lab.bench.tables import show
from tests.monitor.lab.bench.test_capacity import MACHINE, SETTINGS

STEP = CapacityStep(4, 0.4, 0.8, 1.9, 0.1, memory_mb=500.0)
ONE = Capacity((STEP, replace(STEP, participants=6, memory_mb=560.0, why="score age p95 1.40 s")), 2, 2, True, 12.0)
TWO = Capacity((replace(STEP, memory_mb=900.0), replace(STEP, participants=6, memory_mb=950.0)), 2, 2, True, 12.0)
FOUND = Growth(2, ONE, TWO)


def test_what_several_hold_is_told_beside_what_one_does() -> None:
    assert FOUND.ratio == 1.5
    assert FOUND.memory_of_each_more() == {1: 30.0, 2: 25.0}
    assert [(count, step.participants) for count, step in FOUND.steps] == [(1, 4), (1, 6), (2, 4), (2, 6)]
    row = growth_rows(FOUND)[0]
    assert (row.name, row.value, row.state) == (GROWTH, 1.5, "ok")
    assert row.note == "6 with 2, 4 with one, in this run"
    assert growth_notes(FOUND) == []
    assert json.loads(json.dumps(FOUND.as_json()))["ratio"] == 1.5


def test_nothing_is_made_of_nothing() -> None:
    nobody = replace(ONE, steps=(replace(STEP, why="too slow"),))
    found = Growth(2, nobody, TWO)
    assert found.ratio is None
    assert found.memory_of_each_more()[1] is None
    assert growth_rows(found)[0].state == "not measured"


def test_it_is_shown_and_drawn(tmp_path: Path) -> None:
    result = BenchResult(MACHINE, SETTINGS, rows=growth_rows(FOUND), growth=FOUND)
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        show(result, console)
    assert "Live capacity, by processes that judge" in capture.get()
    draw(result, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 1000


async def test_the_same_search_runs_with_one_and_with_several(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    parts: list[str] = []

    async def searched(_stream: Path, setup: BenchSetup, first: int, *more: object) -> Capacity:
        asked.append((setup.processes, first))
        more[-1]("a call", 0.5)  # type: ignore[operator]
        return ONE if setup.processes == 1 else TWO

    monkeypatch.setattr(capacity, "measure", searched)
    found = await growth.measure(
        tmp_path / "s.webm", BenchSetup(tmp_path), 2, 4, progress=lambda part, _: parts.append(part)
    )
    assert found == FOUND
    assert asked == [(1, 4), (2, 4)]
    assert parts == ["1 process: a call", "2 processes: a call"]


def test_one_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> Growth:
        raise BenchError("this machine has no network")

    monkeypatch.setattr(growth, "measure", broken)
    monkeypatch.setattr(host_kill, "measure", broken)
    options = run.Options(processes=2)
    bench = run.Bench(options, None, Path("s.webm"), None, BenchSetup(Path()), 2, lambda *_: None)  # type: ignore[arg-type]
    result = run.loads(bench, BenchResult(MACHINE, SETTINGS))
    assert [(row.name, row.state) for row in result.rows] == [
        (name, "not measured") for name in (GROWTH, KILL_TOLD, KILL_AGAIN)
    ]
    why = "could not run: this machine has no network."
    assert result.notes == [f"The part processes {why}", f"The part killed host {why}"]


def test_a_host_that_was_killed_is_told_beside_its_budgets() -> None:
    rows = kill_rows(HostKill(2, 0.1, 11.0, 0.5))
    assert [(row.name, row.state) for row in rows] == [(KILL_TOLD, "ok"), (KILL_AGAIN, "over")]
    assert rows[1].note == "the slowest of 2 who were on it, of which publishing again took 0.50 s"
    assert kill_rows(HostKill(0, None, None, None))[0].state == "not measured"
