"""`evaluate --perturb --live`: as asked for on the command line, and on clips that can be judged."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from engines.base import MODELS
from monitor import cli
from monitor.lab.corpus.manifest import Row
from monitor.lab.distortions.perturbations import Contrast
from monitor.lab.evaluate.robustness import KINDS, Stress
from monitor.lab.evaluate.trials import Trials, run_trials
from monitor.lab.evaluate.worker_pool import Effort
from monitor.lab.metrics.summary import Result
from tests.monitor.tap.clips import write_clip

CLIPS = {"ann": "clips/real/LivePortrait__d12.mp4", "bob": "clips/real/deep_avsr__00024.mp4"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genuine clip and a forged one in which nobody is seen."""
    folder = tmp_path_factory.mktemp("corpus")
    write_clip(folder / "bars.mkv", seconds=1.0, audio="pcm_s16le")
    rows = [("bars.mkv", "real", "real", "ann"), ("bars.mkv", "fake", "x", "ann")]
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "method", "subject"), *rows])
    return folder / "clips.csv"


def test_both_are_done_on_request_and_not_twice(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = [
        "evaluate",
        str(manifest),
        "--out",
        str(out),
        "--cache",
        str(tmp_path / "cache"),
        "--mismatch",
        "--workers",
        "1",
    ]
    trials = ["--perturb", "--perturb-clips", "2", "--live", "--live-minutes", "0.1"]
    assert cli.run([*command, *trials, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((out / "summary.json").read_text())
    assert all(task["clean"] is None and set(task["kinds"]) == set(KINDS) for task in summary["robustness"].values())
    live = summary["live"]
    assert (live["genuine"]["calls"], live["genuine"]["false_alerts"], live["genuine"]["abstained_share"]) == (1, 0, 1)
    assert (live["forged"]["calls"], live["forged"]["alerted"]) == (1, 0)
    assert {"robustness.png", "live.png", "live.jsonl"} <= {path.name for path in out.iterdir()}
    kept = (out / "live.jsonl").read_bytes()
    assert cli.run([*command, *trials]) == 0
    assert (out / "live.jsonl").read_bytes() == kept
    said = capsys.readouterr().out
    assert "falls by" in said
    assert "false alerts/h" in said


def test_neither_is_done_unasked(manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert cli.run(["evaluate", str(manifest), "--out", str(out), "--cache", str(tmp_path / "cache"), "--json"]) == 0
    assert not {"robustness", "live"} & set(json.loads(capsys.readouterr().out))
    assert not {"robustness.png", "live.png", "live.jsonl"} & {path.name for path in out.iterdir()}


def test_a_limit_on_nothing_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["evaluate", "m.csv", "--out", "o", "--perturb-clips", "9"]) == 2
    assert "--perturb-clips needs --perturb" in capsys.readouterr().err


@pytest.mark.data
def test_forged_and_genuine_clips_are_scored_changed(data_dir: Path, tmp_path: Path) -> None:
    rows = [
        Row(data_dir / clip, who, label, label, who)
        for (who, clip), label in zip(CLIPS.items(), ("real", "fake"), strict=True)
    ]
    clean = [Result(row.name, row.label, row.method, row.subject, 0.0, None) for row in rows]
    effort = Effort(tmp_path / "cache", tmp_path / "partial.jsonl", 2)
    trials = Trials(Stress(changes=(Contrast(1),)))
    told = run_trials(trials, [(MODELS, rows)], clean, ["synchrony"], effort, tmp_path)
    assert set(told) == {"robustness"}
    synchrony = told["robustness"]["synchrony"]
    assert (synchrony["real"], synchrony["fake"]) == (1, 1)
    assert synchrony["kinds"]["contrast"]["levels"][0] in (0.0, 1.0)
    assert synchrony["kinds"]["contrast"]["scored"] == [2, 0, 0, 0, 0]
    assert (tmp_path / "robustness.png").exists()
