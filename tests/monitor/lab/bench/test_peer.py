"""SpeechForensics' way beside ours: the arithmetic of it, on numbers made up for it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from monitor.lab.bench.comparison import compare
from monitor.lab.bench.peer import (
    ALONE,
    EVERY,
    PEER,
    PeerComparison,
    PeerCost,
    PeerStage,
    measured_frames,
    over,
    peer_notes,
    peer_rows,
)
from monitor.lab.bench.plots import draw
from monitor.lab.bench.result import BenchResult
from monitor.lab.bench.scan_speed import ScanSpeed
from monitor.lab.bench.tables import show
from tests.monitor.lab.bench.test_capacity import MACHINE, SETTINGS

FACES = PeerStage("faces", 10, 1, 12.0, 0.4)
LIPS = PeerStage("lips", 100, 100, 8.0, 4.0)
COST = PeerCost((FACES, LIPS, replace(LIPS, name="voice", cpu_seconds=4.0)), 5.0, {"FAN": 23_820_176}, 2000.0, 1)
SCAN = ScanSpeed(8.0, 0.5, 12.0, 0.125, 400.0)
FOUND = PeerComparison(COST, SCAN, replace(SCAN, cpu_seconds=0.33, memory_mb=500.0), 1.2)


def test_stages_of_different_lengths_add_up_for_a_second() -> None:
    assert [stage.per_second for stage in COST.stages] == [pytest.approx(30.0), 2.0, 1.0]
    assert COST.per_second == pytest.approx(33.0)
    assert PeerCost.from_json(json.loads(json.dumps(asdict(COST)))) == COST


def test_ours_is_so_many_times_less() -> None:
    assert FOUND.times(FOUND.alone) == pytest.approx(264.0)
    assert FOUND.times(FOUND.every) == pytest.approx(100.0)
    assert FOUND.times(None) is None
    assert FOUND.times(replace(SCAN, cpu_seconds=0.0)) is None
    said = json.loads(json.dumps(FOUND.as_json()))
    assert said["times"] == {ALONE: pytest.approx(264.0), EVERY: pytest.approx(100.0)}
    assert said["peer"]["stages"][0]["per_second"] == pytest.approx(30.0)


def test_rows_say_what_was_measured_and_what_random_weights_mean() -> None:
    rows = {row.name: row for row in peer_rows(FOUND)}
    assert len(rows) == len(peer_rows(FOUND)) == 8
    assert rows[PEER].value == pytest.approx(33.0)
    assert rows[PEER].state == "measured"
    assert rows[PEER].note == "random weights (FAN 24 M): what it costs, no scores"
    assert rows[ALONE].value == 0.125
    assert rows[over(EVERY)].value == pytest.approx(100.0)
    assert rows[f"memory, {EVERY}"].value == 500.0
    alone = {row.name: row for row in peer_rows(replace(FOUND, every=None))}
    assert (alone[EVERY].state, alone[EVERY].note) == ("not measured", "nobody could be enrolled")
    assert alone[over(EVERY)].value is None


def test_how_many_frames_each_was_measured_over_is_told() -> None:
    assert measured_frames(COST) == "10 frames of faces; 100 frames of lips, voice"
    (note,) = peer_notes(FOUND)
    assert "one thread of torch" in note
    assert "10 frames of faces" in note
    assert "Load of the machine then: 1.2." in note
    assert "2 threads of torch" in peer_notes(replace(FOUND, peer=replace(COST, threads=2)))[0]


def test_it_is_shown_drawn_and_compared_with_an_earlier_run(tmp_path: Path) -> None:
    result = BenchResult(MACHINE, SETTINGS, rows=peer_rows(FOUND), peer=FOUND)
    console = Console(width=140, color_system=None)
    with console.capture() as capture:
        show(result, console)
    said = " ".join(capture.get().split())
    assert "SpeechForensics' way (random weights)" in said
    assert "0.330 (100 times less)" in said
    slower = replace(FOUND, every=None, alone=replace(SCAN, cpu_seconds=0.25))
    after = BenchResult(MACHINE, SETTINGS, rows=peer_rows(slower), peer=slower)
    changes = {row.name: row.change for row in compare(result.as_json(), after.as_json()).rows}
    assert changes[ALONE] == changes[over(ALONE)] == "worse"
    assert changes[PEER] == "same"
    with console.capture() as capture:
        show(after, console)
    draw(result, tmp_path / "peer.png")
    draw(after, tmp_path / "alone.png")
    assert (tmp_path / "peer.png").stat().st_size > (tmp_path / "alone.png").stat().st_size > 5000
    assert EVERY not in capture.get().partition("Budgets")[0]
