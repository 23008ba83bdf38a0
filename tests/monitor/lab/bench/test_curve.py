"""The growth curve: which calls, what is made of them, and that it stands in tables and pictures; no timing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from monitor.lab.bench import curve, run
from monitor.lab.bench.capacity import CapacityStep
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.curve import Curve, sizes
from monitor.lab.bench.plots import draw
from monitor.lab.bench.processes import BenchSetup, SidecarFull
from monitor.lab.bench.result import BenchResult, curve_notes, curve_rows
from monitor.lab.bench.tables import show
from tests.monitor.lab.bench.test_capacity import MACHINE, SETTINGS

POINTS = tuple(
    CapacityStep(n, 0.5, 0.6 + 0.1 * n, 0.1 + 0.25 * n, 0.05 * n, memory_mb=500.0 + 20.0 * n) for n in (1, 2, 3)
)
LATE = CapacityStep(4, 0.9, 1.4, 1.2, 0.2, memory_mb=600.0, why="score age p95 1.40 s")
DRAWN = Curve((*POINTS, LATE), 1, 2, 400.0, None, 0.0, 12.0)


@pytest.mark.parametrize(
    ("most", "calls"),
    [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (9, [1, 2, 3, 4, 6, 8, 9]), (20, [1, 2, 3, 4, 6, 8, 12, 16, 20])],
)
def test_the_first_calls_are_all_tried_and_the_largest_is_the_one_asked_for(most: int, calls: list[int]) -> None:
    assert sizes(most) == calls


def test_each_more_participant_is_told_over_the_calls_that_held() -> None:
    rows = {row.name: row for row in curve_rows(DRAWN)}
    assert rows["cores of each more participant"].value == pytest.approx(0.25)
    assert rows["memory of each more participant"].value == pytest.approx(20.0)
    assert "over calls of 1, 2, 3" in rows["cores of each more participant"].note
    alone = curve_rows(replace(DRAWN, points=POINTS[:1]))
    assert [row.value for row in alone] == [None, None]


def test_what_makes_it_doubtful_is_said() -> None:
    assert curve_notes(DRAWN, 2) == ["Curve, 4 at once: score age p95 1.40 s."]
    busy = tuple(replace(point, others_cores=0.5) for point in POINTS)
    notes = curve_notes(replace(DRAWN, points=busy, refused_at=4, publisher_late=0.3), 2)
    assert notes[0] == "Curve: at 4 somebody was refused, it ends before that."
    assert notes[1] == "Curve: the publisher was late by up to 300 ms at some time."
    assert "Other processes took 0.50 of 2 cores" in notes[2]


def test_it_is_shown_drawn_and_written(tmp_path: Path) -> None:
    result = BenchResult(MACHINE, SETTINGS, rows=curve_rows(DRAWN), curve=DRAWN)
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        show(result, console)
    said = capture.get()
    assert "Growth, 1 judging on 2 cores; 400 MB without participants" in said
    assert said.count("holds") == 3
    draw(result, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 1000
    draw(replace(result, curve=replace(DRAWN, points=())), tmp_path / "none.png")
    written = json.loads(json.dumps(result.as_json()))["curve"]
    assert (written["idle_mb"], written["processes"], len(written["points"])) == (400.0, 1, 4)
    assert [point["held"] for point in written["points"]] == [True, True, True, False]


class Subscription:
    """In the place of a sidecar and its subscriber: says what it is asked."""

    def __init__(self) -> None:
        self.server = SimpleNamespace(rss=lambda: 400_000_000)
        self.observer = None
        self.settled: list[int] = []
        self.senders: list[int] = []

    async def settle(self, people: int) -> None:
        self.settled.append(people)

    async def span(self, _seconds: float, *senders: object, progress: Any) -> int:
        progress(0.5)
        self.senders.append(len(senders))
        return self.settled[-1]


@pytest.mark.parametrize(("room", "refused_at"), [(9, None), (3, 4)])
async def test_one_after_another_comes_and_nobody_leaves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: int, refused_at: int | None
) -> None:
    subscription, published = Subscription(), []

    @contextlib.asynccontextmanager
    async def subscribed(_setup: BenchSetup, most: int) -> AsyncIterator[Subscription]:
        assert most == 6
        yield subscription

    @contextlib.asynccontextmanager
    async def publisher(_stream: Path, _server: object, people: range, *_: object) -> AsyncIterator[SimpleNamespace]:
        if people.stop - 1 > room:
            raise SidecarFull("no room")
        published.append(list(people))
        yield SimpleNamespace(late=0.01 * people.start)

    monkeypatch.setattr(curve, "check_network", lambda: None)
    monkeypatch.setattr(curve, "subscribed", subscribed)
    monkeypatch.setattr(curve, "publisher", publisher)
    monkeypatch.setattr(curve, "step_of", lambda _span, size, _late: CapacityStep(size))
    told: list[tuple[str, float]] = []
    drawn = await curve.measure(
        tmp_path / "x.webm", BenchSetup(tmp_path, processes=2), 6, 2, 1.0, lambda part, done: told.append((part, done))
    )
    reached = [1, 2, 3] if refused_at else [1, 2, 3, 4, 6]
    assert [point.participants for point in drawn.points] == subscription.settled == reached
    assert published == ([[1], [2], [3]] if refused_at else [[1], [2], [3], [4], [5, 6]])
    # All who came send on.
    assert subscription.senders == list(range(1, len(reached) + 1))
    assert (drawn.refused_at, drawn.processes, drawn.cores, drawn.idle_mb) == (refused_at, 2, 2, 400.0)
    assert drawn.publisher_late == pytest.approx(0.03 if refused_at else 0.05)
    assert ("a call of 2", 0.5) in told


def test_a_curve_that_cannot_be_drawn_is_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[int] = []

    async def measured(_stream: Path, setup: BenchSetup, most: int, *_: object, **__: object) -> Curve:
        asked.append(most)
        if setup.processes == 2:
            raise BenchError("no network")
        return DRAWN

    monkeypatch.setattr(curve, "measure", measured)
    for processes, note in (
        (None, "Curve, 4 at once: score age p95 1.40 s."),
        (2, "The part curve could not run: no network."),
    ):
        options = run.Options(usual=False, curve=5, processes=processes)
        bench: Any = SimpleNamespace(
            options=options, setup=BenchSetup(tmp_path), webm=tmp_path / "x", cores=2, tell=lambda *_: None
        )
        for other in ("_growth", "_host_kill"):
            monkeypatch.setattr(run, other, lambda _bench, result, _processes: result)
        result = run.loads(bench, BenchResult(MACHINE, SETTINGS))
        assert result.notes == [note]
        assert (result.curve is None) == (processes == 2)
    assert asked == [5, 5]
