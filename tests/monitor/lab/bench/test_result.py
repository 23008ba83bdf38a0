"""Rows, notes, tables and plots of what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from monitor.lab.bench.budgets import (
    AGE,
    CORES,
    FIRST_VERDICT,
    LIVE,
    LOOP,
    MEMORY,
    READY,
    SCAN,
    Measurement,
)
from monitor.lab.bench.live import LiveCall, Memory
from monitor.lab.bench.plots import draw
from monitor.lab.bench.process_usage import (
    describe_machine,
)
from monitor.lab.bench.result import BenchResult, live_notes, live_rows, missing_live_rows, scan_row, stage_rows
from monitor.lab.bench.scan_speed import ScanSpeed
from monitor.lab.bench.stage_times import Stage
from monitor.lab.bench.tables import number, show


def a_live(**changed: Any) -> LiveCall:
    fields: dict[str, Any] = {
        "participants": 2,
        "enrolled": True,
        "span": 20.0,
        "ready": [2.0, 1.0, 9.0],
        "baseline_mb": 200.0,
        "first_mb": 90.0,
        "idle_cores": 0.01,
        "cores": 0.4,
        "loop_cores": 0.02,
        "others_cores": 0.05,
        "publisher_cores": 0.1,
        "publisher_late": 0.01,
        "memory_mb": 40.0,
        "slope_mb_per_hour": None,
        "age_p50": 0.4,
        "age_p95": 0.6,
        "socket_p50": 0.001,
        "socket_p95": 0.002,
        "received_p95": 0.003,
        "first_state": [0.5, 1.5],
        "first_verdict": [3.0, 4.0],
        "dropped": 0,
        "late_hops": 0,
        "frames_per_second": 30.0,
        "state_bytes": 2500.0,
        "scored": {"pairwise": 1.0, "persona": 0.6, "synchrony": 0.9, "voiceprint": 0.7},
        "verdicts": {"inconclusive/not_enrolled": 80},
    }
    return LiveCall(**(fields | changed))


def by_name(rows: list[Measurement]) -> dict[str, Measurement]:
    return {one.name: one for one in rows}


def test_every_budget_of_a_live_call_has_a_row() -> None:
    rows = by_name(live_rows(a_live()))
    assert set(LIVE) <= set(rows)
    assert rows[READY].value == 2.0
    assert rows["first state after media"].value == 1.5
    assert rows[FIRST_VERDICT].value == 4.0
    assert rows["decision to socket p95"].value == 2.0
    assert "memory slope per participant" not in rows
    assert by_name(live_rows(a_live(slope_mb_per_hour=1.0)))["memory slope per participant"].value == 1.0
    assert rows["hops with a score of persona"].value == 60.0
    assert rows[CORES].note.endswith("every detector")
    assert by_name(live_rows(a_live(enrolled=False)))[CORES].note.endswith("synchrony only")


def test_a_call_of_which_some_were_shed_has_no_price() -> None:
    verdicts = {"bona_fide": 90, "inconclusive/overloaded": 10}
    rows = by_name(live_rows(a_live(verdicts=verdicts)))
    assert rows[CORES].note == "10 % of the hops were overloaded: fewer were judged than came"
    assert {rows[name].state for name in (CORES, LOOP)} == {"not measured"}
    assert rows[MEMORY].state == "ok"
    assert rows[AGE].note.startswith("of those who were judged: 10 %")
    assert by_name(live_rows(a_live(verdicts=verdicts | {"bona_fide": 900})))[CORES].state == "ok"


def test_memory_is_that_of_each_more() -> None:
    memory = Memory(200, 290)
    assert memory.per_participant(350, 4) == 20.0
    assert memory.per_participant(295, 1) == 95
    assert "over that of one" in by_name(live_rows(a_live()))[MEMORY].note
    assert "over that of none" in by_name(live_rows(a_live(participants=1)))[MEMORY].note
    assert by_name(live_rows(a_live()))["memory of the first participant"].value == 90.0


def test_what_was_not_seen_of_everybody_is_not_measured() -> None:
    rows = by_name(live_rows(a_live(first_verdict=[3.0], age_p95=None, socket_p95=None)))
    assert rows[FIRST_VERDICT].state == "not measured"
    assert "no face" in rows[FIRST_VERDICT].note
    assert rows[AGE].note == "no clock was mapped"
    assert {one.state for one in missing_live_rows("why")} == {"not measured"}
    assert {one.note for one in missing_live_rows("why")} == {"why"}


def test_doubtful_runs_say_so() -> None:
    assert len(live_notes(a_live(), 2)) == 1
    doubtful = a_live(others_cores=0.5, publisher_late=0.4, dropped=7, late_hops=2, frames_per_second=12.0)
    notes = " ".join(live_notes(doubtful, 2))
    assert "conclude nothing" in notes
    assert "400 ms" in notes
    assert "7 frames" in notes
    assert "2 hops" in notes
    assert "30 pictures a second 12 arrived" in notes
    assert "none arrived" in " ".join(live_notes(a_live(frames_per_second=None), 2))
    told = " ".join(live_notes(a_live(scored={"synchrony": 1.0, "pairwise": 0.1}), 2))
    assert "no score of pairwise, persona, voiceprint: the live rows cost less" in told
    assert len(live_notes(a_live(enrolled=False, scored={"synchrony": 1.0}), 2)) == 1


STAGES = [Stage("landmarks", 1.0, 1.0, 1.2, 30.0), Stage("crops, pose, quality", 0.5, 0.5, None, 30.0)]


def test_stage_and_scan_rows() -> None:
    face, whole = stage_rows(STAGES)
    assert (face.value, face.state) == (1.5, "ok")
    assert whole.value == 1.5
    assert stage_rows([Stage("landmarks", 0.0, None, None, 0.0)])[0].note == "there is no face in the clip"
    assert scan_row(SCAN, ScanSpeed(12.0, 0.5, 10.0, 0.1, 300.0), "clip.mp4").note.startswith("clip.mp4; loading")
    assert scan_row(SCAN, None, "the scan failed").state == "not measured"


@pytest.fixture
def result() -> BenchResult:
    rows = [*live_rows(a_live(cores=0.8, first_verdict=[])), *stage_rows(STAGES), scan_row(SCAN, None, "no clip")]
    settings = {
        "engine": "openvino",
        "clip": "clip.mp4",
        "loop_seconds": 2.0,
        "kilobits_per_second": 1500,
        "participants": 2,
        "detectors": ["synchrony"],
    }
    return BenchResult(describe_machine(), settings, STAGES, rows, {"inconclusive/silence": 4}, ["Something to know."])


def printed(result: BenchResult, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        show(result, console)
    return capture.get()


def test_the_tables_fit_and_keep_every_number(result: BenchResult) -> None:
    wide, narrow = printed(result, 160), printed(result, 80)
    for text in (wide, narrow):
        assert CORES in text
        assert "0.400 cores" in text
        assert "over" in text
        assert "Something to know." in text
        assert "inconclusive/silence 4" in text
    assert "process of the sidecar" in wide
    assert "process of the sidecar" not in narrow
    assert f"Not measured, {FIRST_VERDICT}" in narrow
    assert [number(value) for value in (None, 3, 0.1234, 1.234, 12.34)] == ["-", "3", "0.123", "1.23", "12.3"]


def test_the_picture_is_drawn(result: BenchResult, tmp_path: Path) -> None:
    draw(result, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
