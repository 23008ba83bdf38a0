"""`evaluate` on a data set as it is published, under perturbations and on live calls; which packs score which clips."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from engines.base import MODELS
from monitor import cli
from monitor.lab.corpus.manifest import CorpusError, Row
from monitor.lab.distortions.perturbations import LEVELS, Contrast, conditions
from monitor.lab.evaluate import robustness
from monitor.lab.evaluate.robustness import KINDS, Stress
from monitor.lab.evaluate.run import ExtraRuns, divide, run_extras
from monitor.lab.evaluate.worker_pool import WorkerOptions
from monitor.lab.metrics.summary import Result
from tests.monitor.lab.corpus.datasets.trees import touch, write
from tests.monitor.tap.clips import write_clip

CLIPS = {"000": "clips/real/video-retalking__1.mp4", "003": "clips/real/deep_avsr__00024.mp4"}


@pytest.mark.data
def test_faceforensics_as_it_is_published(
    data_dir: Path, features_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "FaceForensics++", tmp_path / "out"
    for sequence, clip in CLIPS.items():
        original = root / f"original_sequences/youtube/c23/videos/{sequence}.mp4"
        original.parent.mkdir(parents=True, exist_ok=True)
        original.symlink_to(data_dir / clip)
    # The pictures of one with the sound of the other: a forgery, if there ever was one.
    forged = root / "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"
    forged.parent.mkdir(parents=True)
    forged.symlink_to(data_dir / CLIPS["003"])
    (root / "audio").mkdir()
    (root / "audio/000.mp4").symlink_to(data_dir / CLIPS["000"])
    write(root / "splits/test.json", '[["000", "003"]]')
    command = ["evaluate", str(root), "--out", str(out), "--cache", str(features_cache), "--json"]
    assert cli.run([*command, "--compression", "c23", "--workers", "1"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["dataset"] == "faceforensics"
    whole = summary["synchrony"]
    assert (whole["fake"], whole["real"], whole["auc"]) == (1, 2, 1.0)
    theirs = {(row["system"], row["method"], row["setting"]): row for row in summary["published"]}
    deepfakes = theirs["SpeechForensics", "Deepfakes", ""]
    assert (deepfakes["auc"], deepfakes["measured"]["auc"]) == (0.994, 1.0)
    assert "| Deepfakes | SpeechForensics (synchrony) | 0.994 | 1.000 |" in (out / "published.md").read_text()
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [
        "original_sequences/youtube/c23/videos/000.mp4",
        "original_sequences/youtube/c23/videos/003.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
    ]


def test_a_folder_that_is_no_data_set_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = touch(tmp_path / "clips", ["a/1.mp4", "b/2.mp4"])
    assert cli.run(["evaluate", str(folder), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "looks like none of the known data sets" in said
    assert cli.run(["evaluate", str(folder), "--out", str(tmp_path / "out"), "--dataset", "kodf"]) == 2
    assert "does not look like KoDF: it has no genuine clips" in capsys.readouterr().err


def row(name: str, label: str = "real") -> Row:
    return Row(Path(name), name, label, label, "?")


def test_each_fold_is_scored_by_its_packs_and_forgeries_by_the_first(tmp_path: Path) -> None:
    rows = [row("a"), row("b"), row("c"), row("f", "fake")]
    split = write(tmp_path / "split.csv", "path,subject,group,fold\na,ann,wild,a\nb,bob,wild,b\nf,eve,wild,a\n")
    packs = [Path("p"), Path("q")]
    parts = divide(rows, split, ["a", "b"], packs)
    assert [(part.packs, [r.name for r in part.rows]) for part in parts] == [(packs[0], ["a", "f"]), (packs[1], ["b"])]
    assert parts[0].rows[0].subject == "ann"
    (whole,) = divide(rows, split, [], [])
    assert [r.name for r in whole.rows] == ["a", "b", "f"]
    (plain,) = divide(rows, None, [], packs[:1])
    assert (plain.packs, len(plain.rows)) == (packs[0], 4)
    with pytest.raises(CorpusError, match="names none of the clips"):
        divide([row("z")], split, [], [])


STRESSED = {"ann": "clips/real/LivePortrait__d20.mp4", "bob": "clips/real/deep_avsr__00024.mp4"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genuine clip and a forged one in which nobody is seen."""
    folder = tmp_path_factory.mktemp("corpus")
    write_clip(folder / "bars.mkv", seconds=0.6, audio="pcm_s16le")
    rows = [("bars.mkv", "real", "real", "ann"), ("bars.mkv", "fake", "x", "ann")]
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "method", "subject"), *rows])
    return folder / "clips.csv"


def test_both_are_done_on_request_and_not_twice(
    manifest: Path,
    features_cache: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One level of each kind: what a level does is asked where the changes are (tests/monitor/lab/distortions).
    monkeypatch.setattr(robustness, "conditions", lambda: conditions()[::LEVELS])
    out = tmp_path / "out"
    command = ["evaluate", str(manifest), "--out", str(out), "--cache", str(features_cache), "--workers", "1"]
    trials = ["--perturb", "--perturb-clips", "2", "--live", "--live-minutes", "0.1"]
    assert cli.run([*command, "--mismatch", *trials, "--json"]) == 0
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


def test_neither_is_done_unasked(
    manifest: Path, features_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.run(["evaluate", str(manifest), "--out", str(out), "--cache", str(features_cache), "--json"]) == 0
    assert not {"robustness", "live"} & set(json.loads(capsys.readouterr().out))
    assert not {"robustness.png", "live.png", "live.jsonl"} & {path.name for path in out.iterdir()}


def test_a_limit_on_nothing_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["evaluate", "m.csv", "--out", "o", "--perturb-clips", "9"]) == 2
    assert "--perturb-clips needs --perturb" in capsys.readouterr().err


@pytest.mark.data
def test_forged_and_genuine_clips_are_scored_changed(data_dir: Path, features_cache: Path, tmp_path: Path) -> None:
    rows = [
        Row(data_dir / clip, who, label, label, who)
        for (who, clip), label in zip(STRESSED.items(), ("real", "fake"), strict=True)
    ]
    clean = [Result(row.name, row.label, row.method, row.subject, 0.0, None) for row in rows]
    effort = WorkerOptions(features_cache, tmp_path / "partial.jsonl", 2)
    trials = ExtraRuns(Stress(changes=(Contrast(1),)))
    told = run_extras(trials, [(MODELS, rows)], clean, ["synchrony"], effort, tmp_path)
    assert set(told) == {"robustness"}
    synchrony = told["robustness"]["synchrony"]
    assert (synchrony["real"], synchrony["fake"]) == (1, 1)
    assert synchrony["kinds"]["contrast"]["levels"][0] in (0.0, 1.0)
    assert synchrony["kinds"]["contrast"]["scored"] == [2, 0, 0, 0, 0]
    assert (tmp_path / "robustness.png").exists()
