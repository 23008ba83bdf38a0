"""The one command by which somebody proves an engine on their own machine."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from engines.base import MODELS
from engines.checks.parity import DetectorDrift, ScoreDrift
from engines.checks.throughput import Speed
from monitor import cli
from monitor.lab.commands import engines_verify
from monitor.lab.engine_parity import COLUMNS
from tests.engines import packs


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    packs.write(folder)
    return folder


def test_without_clips_it_says_that_only_tensors_were_compared(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["engines", "verify", "--models", str(models)]) == 0
    said = capsys.readouterr()
    assert "openvino against onnx: outputs" in said.out
    assert said.err.strip() == engines_verify.NO_CLIPS


def test_an_engine_that_is_not_there_fails_by_name(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["engines", "verify", "--engine", "tensorrt", "--models", str(models), "--json"]) == 1
    (pack,) = json.loads(capsys.readouterr().out)["packs"]
    assert (pack["ok"], pack["loads"], pack["largest_difference"]) == (False, False, None)
    assert "openvino" in pack["detail"], "the line says what to do instead"


def test_speed_is_told_by_batch(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Speed(1, 5, 2.0, 3.0, 1.0), Speed(8, 5, 4.0, 5.0, 2.0)]
    monkeypatch.setattr("engines.checks.throughput.measure", lambda engine: iter(rows))
    assert cli.run(["engines", "verify", "--models", str(models), "--speed", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["speed"]
    assert said[1] == {"name": "adder", "batch": 8, "p50_ms": 4.0, "p95_ms": 5.0, "items_a_second": 2000.0}
    assert cli.run(["engines", "verify", "--models", str(models), "--speed"]) == 0
    assert "openvino: one caller" in capsys.readouterr().out


def test_clips_that_are_not_there_are_misuse(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["engines", "verify", "--models", str(models), "--clips", str(tmp_path)]) == 2
    assert "lacks" in capsys.readouterr().err


@pytest.fixture
def clips(tmp_path: Path, data_dir: Path) -> Path:
    """One person, with their own voice and with another's; nobody to compare them with, which would take time."""
    real = data_dir / "clips" / "real"
    names = ("video-retalking__3.mp4", "deep_avsr__00024.mp4")
    for name in names:
        shutil.copyfile(real / name, tmp_path / name)
    with (tmp_path / "parity.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows([(names[0], "", "", "real", "real"), (names[0], names[1], "", "fake", "real")])
    return tmp_path


def test_scores_are_compared_over_clips(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "packs"
    for name in ("speech_lips", "speech_voice"):
        shutil.copytree(MODELS / name, folder / name)
    assert cli.run(["engines", "verify", "--models", str(folder), "--clips", str(clips), "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [(pack["name"], pack["detail"]) for pack in told["packs"]] == [
        ("speech_lips", "the same"),
        ("speech_voice", "the same"),
    ]
    scores = told["scores"]
    assert (scores["ok"], scores["cases"], scores["verdicts"], scores["problems"]) == (True, 2, [], [])
    (synchrony,) = scores["detectors"]
    assert (synchrony["cases"], synchrony["forged"], synchrony["auc"], synchrony["auc_onnx"]) == (2, 1, 1.0, 1.0)
    assert 0 <= synchrony["mean_shift"] <= synchrony["largest_shift"] < 0.05


def test_a_pack_that_does_not_load_leaves_no_scores(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "packs"
    shutil.copytree(MODELS / "face_detector", folder / "face_detector")
    (folder / "face_detector" / "model.onnx").write_bytes(b"altered")
    assert cli.run(["engines", "verify", "--models", str(folder), "--clips", str(clips)]) == 1
    assert capsys.readouterr().err.strip() == engines_verify.ABSENT


def test_a_pack_is_held_against_the_one_it_was_made_of(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = onnx.load_from_string(packs.adder())
    graph.graph.node[0].op_type = "Sub"
    other = packs.write(tmp_path / "other", model=graph.SerializeToString()).parent
    assert cli.run(["engines", "verify", "--models", str(other)]) == 0
    capsys.readouterr()
    assert cli.run(["engines", "verify", "--models", str(other), "--against", str(models)]) == 1
    assert "differs by more than 0.25: use the engine onnx" in capsys.readouterr().out


def test_a_lower_precision_is_for_clips_to_judge(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.checks.parity.differences", lambda *_: {"sum": 0.01})
    assert cli.run(["engines", "verify", "--models", str(models)]) == 1
    assert "differs by more than 0.001: only clips can tell" in capsys.readouterr().out
    monkeypatch.setattr("monitor.lab.engine_parity.read_cases", lambda _: ["a case"])
    monkeypatch.setattr(engines_verify, "_scores", lambda *_: ScoreDrift(20, (), ()))
    assert cli.run(["engines", "verify", "--models", str(models), "--clips", "."]) == 0
    assert "differs by more than 0.001: the scores decide" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flips", "last"), [((), "every score is within the limits"), ((("a", "b", "c"),), "from b to c")]
)
def test_the_table_says_what_changed(
    flips: tuple[tuple[str, str, str], ...],
    last: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    models: Path,
) -> None:
    synchrony = DetectorDrift("synchrony", 20, 9, 0, 0.75, float("nan"), 0.01, 0.002, 0.0)
    drift = ScoreDrift(20, flips, (synchrony,))
    monkeypatch.setattr(engines_verify, "_scores", lambda *_: drift)
    monkeypatch.setattr("monitor.lab.engine_parity.read_cases", lambda _: ["a case"])
    assert cli.run(["engines", "verify", "--models", str(models), "--clips", "."]) == 0
    said = capsys.readouterr().out
    assert "openvino against onnx: 20 clips" in said
    assert "0.75" in said
    assert last in said
