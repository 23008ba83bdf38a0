"""The whole benchmark, and the command."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from monitor import cli
from monitor.lab.bench import engine_speed as speeds
from monitor.lab.bench import enrolment as enrolling
from monitor.lab.bench import live, run
from monitor.lab.bench import scan_speed as scanning
from monitor.lab.bench import stage_times as stages
from monitor.lab.bench.budgets import (
    LIVE,
    MEMORY,
    SCAN,
    SCAN_ALL,
)
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.clip import Stream
from monitor.lab.bench.live import LiveCall
from monitor.lab.bench.processes import BenchSetup
from monitor.lab.bench.result import BenchResult
from monitor.lab.bench.scan_speed import ScanSpeed
from monitor.session.models import Models
from tests.monitor.lab.bench.test_result import STAGES


@pytest.fixture
def quick(stream: Stream, folder: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but the parts that take long."""

    async def scanned(clip: Path, place: BenchSetup) -> ScanSpeed:
        if clip.name == "stream.webm":
            raise BenchError("the scan failed: no reason")
        return ScanSpeed(12.0, 0.5, 10.0, 0.1, 300.0)

    async def no_call(*_: object) -> LiveCall:
        raise BenchError("this machine has no network")

    async def nobody(*_: object) -> enrolling.Enrolled:
        raise BenchError("no face was found")

    monkeypatch.setattr(enrolling, "enrol_clip", nobody)
    monkeypatch.setattr(speeds, "measure_all", lambda *_, **__: speeds.EngineSpeeds((), ("Engine x: absent.",)))
    monkeypatch.setattr(run, "load_models", lambda *_, **__: models)
    monkeypatch.setattr(run, "prepare", lambda *_: stream)
    monkeypatch.setattr(stages, "measure", lambda *_: STAGES)
    monkeypatch.setattr(scanning, "measure", scanned)
    monkeypatch.setattr(live, "measure", no_call)


@pytest.mark.usefixtures("quick")
def test_a_part_that_cannot_run_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["bench", "--clip", "talk.mp4", "--participants", "3", "--json", "--out", str(tmp_path / "new" / "out")]
    assert cli.run(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((tmp_path / "new" / "out" / "bench.json").read_text())
    assert (tmp_path / "new" / "out" / "bench.png").stat().st_size > 1000
    rows = {one["name"]: one for one in said["rows"]}
    assert set(rows) >= {*LIVE, SCAN, SCAN_ALL}
    assert rows[SCAN_ALL]["note"] == "nobody could be enrolled"
    assert any(note.startswith("Nobody could be enrolled (no face was found): ") for note in said["notes"])
    assert "Engine x: absent." in said["notes"]
    assert rows[SCAN]["state"] == "ok"
    assert rows["scan of the 720p30 stream, one core"]["note"] == "the scan failed: no reason"
    assert rows[MEMORY]["note"] == "this machine has no network"
    assert said["settings"]["clip"] == "talk.mp4"
    assert said["settings"]["participants"] == 3
    assert "The live part could not run: this machine has no network." in said["notes"]
    monkeypatch.setenv("SIDEWITNESS_DATA", str(tmp_path))
    assert cli.run(["bench"]) == 0
    assert "generated pattern" in capsys.readouterr().out


def test_a_busy_machine_is_told_before_anything_is_measured() -> None:
    assert run.of_the_machine({"load_before": 0.4, "cores": 2}) == []
    assert run.of_the_machine({"load_before": 0.6, "cores": 2}) == [
        "The load of this machine was 0.6 of 2 cores before it began: conclude nothing from this run, repeat it on an "
        "idle machine."
    ]


def test_participants_follow_the_cores() -> None:
    assert [run.Options().people(cores) for cores in (1, 2, 16)] == [2, 4, 8]
    assert run.Options(participants=5).people(1) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_is_given_back(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    folders: list[Path] = []

    def interrupted(_: run.Options, folder: Path, __: object) -> BenchResult:
        folders.append(folder)
        os.kill(os.getpid(), number)
        raise AssertionError("the signal was not taken")

    monkeypatch.setattr(run, "run", interrupted)
    assert cli.run(["bench"]) == 130
    assert not folders[0].exists()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_clip_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.mp4").write_text("not a clip")
    assert cli.run(["bench", "--clip", str(tmp_path / "notes.mp4")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: notes.mp4 is not a video")
    assert said.err.count("\n") == 1
