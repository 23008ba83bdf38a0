"""`train` and `evaluate` as a person runs them, on seconds of clips; and the line said of what they cannot use."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import pytest

from engines.load import load_engine
from monitor import cli
from monitor.decision.calibration import Calibration
from monitor.lab.corpus.manifest import RESEARCH_SPLIT
from monitor.lab.evaluate.voice_mismatch import KINDS
from tests.monitor.tap.clips import write_clip

CLIPS = {
    "ann": "clips/real/LivePortrait__d20.mp4",
    "bob": "clips/real/deep_avsr__00024.mp4",
    "eve": "clips/real/video-retalking__1.mp4",
}


@pytest.fixture(scope="module")
def corpus(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of three genuine clips, one of them also as a forgery, one without a face and one that is no clip."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = [(data_dir / clip, "real", "real", name) for name, clip in CLIPS.items()]
    rows.append((data_dir / CLIPS["ann"], "fake", "none", "ann"))
    rows.append((write_clip(folder / "bars.mp4", seconds=1.0), "real", "real", "bars"))
    (folder / "words.mp4").write_text("these are words")
    rows.append((folder / "words.mp4", "fake", "none", "words"))
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "method", "subject"), *rows])
    return folder


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert said.err.startswith("error: ")
    return said.err


@pytest.mark.data
def test_evaluation_writes_a_row_a_clip_a_summary_and_pictures(
    corpus: Path, features_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["evaluate", str(corpus / "clips.csv"), "--out", str(out), "--cache", str(features_cache)]
    assert cli.run([*command, "--mismatch", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((out / "summary.json").read_text())
    whole = summary["synchrony"]
    assert (whole["fake"], whole["real"], whole["abstained"]) == (1, 3, 2)
    assert whole["reasons"] == {"no_face": 1, "unreadable": 1}
    assert set(whole["methods"]) == {"none"}
    by_sound = {f"{kind} 5 s, by sound alone" for kind in KINDS}
    assert set(summary["mismatch"]) == {f"{kind} {n} s" for kind in KINDS for n in (2, 3, 5, 10)} | by_sound
    assert summary["judged"]["windows_judged"] <= summary["judged"]["windows_by_sound"]
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["ann", "bob", "eve", "ann", "bars", "words"]
    assert rows[0]["score"] == rows[3]["score"] != ""
    assert rows[4]["reason"] == "no_face"
    pictures = {"det.png", "methods.png", "mismatch-det.png", "mismatch-roc.png", "roc.png", "subjects.png"}
    assert {path.name for path in out.iterdir()} == {"partial.jsonl", "results.csv", "summary.json", *pictures}
    assert (whole["bpnrr"], whole["apnrr"]) == (0.25, 0.5)
    assert whole["worst"]["apcer_at_bpcer_5_percent"]["method"] == "none"
    assert whole["by_subject"]["ann"]["auc"] == 0.5
    assert 0 < float(rows[0]["p_value"]) <= 1
    assert float(rows[0]["seconds"]) == pytest.approx(7.01, abs=0.2)
    assert cli.run([*command, "--detector", "synchrony"]) == 0
    assert "synchrony" in capsys.readouterr().out


@pytest.fixture(scope="module")
def twenty(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of twenty short genuine clips that the shipped split knows, four of them of held-out speakers."""
    folder = tmp_path_factory.mktemp("twenty")
    (folder / "clips").symlink_to(data_dir / "clips")
    with (data_dir / "clips.csv").open(newline="") as file:
        seconds = {row["path"]: float(row["seconds"]) for row in csv.DictReader(file)}
    with RESEARCH_SPLIT.open(newline="") as file:
        split = sorted((seconds[row["path"]], row["path"], row["fold"], row["subject"]) for row in csv.DictReader(file))
    # The last clip of each held-out speaker that is long enough for windows.
    held_out = {who: path for length, path, fold, who in split if fold == "a" and 3 < length < 8}
    always = [(length, path) for length, path, fold, _ in split if fold == "always"]
    chosen = [path for _, path in always[:12]] + [path for length, path in always if 2.5 < length < 3.5][:4]
    chosen += list(held_out.values())[:4]
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "label", "method", "subject"), *((p, "real", "real", "x") for p in chosen)]
        )
    return folder


@pytest.mark.long
@pytest.mark.data
def test_the_whole_recipe_runs_on_twenty_clips(
    twenty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="training needs torch: install the extra `train`")
    common = [str(twenty / "clips.csv"), "--split", "research", "--cache", str(twenty / "cache"), "--calls", "1"]
    run = tmp_path / "run"
    assert cli.run(["train", "speech", *common, "--out", str(run), "--smoke", "--masked", "0.3"]) == 0
    said = capsys.readouterr().err
    # In a noisy version or two of a clip of a second nobody is heard to speak: it teaches nothing.
    counted = re.search(r"16 clips to train on \((\d+) versions\), 4 held out", said)
    assert counted is not None
    versions = int(counted[1])
    assert 29 <= versions <= 32
    assert "2 s: AUC" in said
    for name in ("speech_lips", "speech_voice"):
        manifest = load_engine(name, models=run / "packs").manifest
        assert manifest.data["versions"] == versions
        assert manifest.recipe["masked_weight"] > 0
        assert manifest.metrics["held_out"][0]["windows"] >= 4
    assert {"checkpoint.pt", "history.png", "log.jsonl"} == {path.name for path in (run / "member-0").iterdir()}
    # Everything is there already but a second member, which begins where the shipped packs stand.
    again = ["--members", "2", "--start", str(run / "packs")]
    assert cli.run(["train", "speech", *common, "--out", str(run), "--smoke", *again]) == 0
    lips = load_engine("speech_lips", models=run / "packs").manifest
    assert (lips.metrics["members"], lips.metrics["steps"]) == (2, 12)
    assert {spec.name: spec.shape for spec in lips.outputs}["lips"] == (-1, 256)


@pytest.mark.data
def test_too_few_people_are_no_calibration(
    corpus: Path, features_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "calibration.json"
    command = ["train", "calibration", str(corpus / "clips.csv"), "--fold", "always", "--out", str(target)]
    assert cli.run([*command, "--cache", str(features_cache)]) == 1
    said = capsys.readouterr()
    assert "people, left out" in said.out
    assert said.err.splitlines()[-1].startswith("error: ")
    assert not target.exists()
    assert Calibration.build({2.0: ([0.0] * 5, list("abcde"))}).lengths == (2.0,)


@pytest.mark.parametrize("words", [["evaluate", "--out", "out"], ["train", "speech"]])
def test_a_manifest_that_cannot_be_used_is_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="training needs torch: install the extra `train`")
    bad = tmp_path / "bad.csv"
    bad.write_text("name\nx\n")
    assert cli.run([*words, str(bad)]) == 2
    assert "bad.csv lacks the columns" in one_line(capsys)
    assert cli.run([*words, str(tmp_path / "absent.csv")]) == 2
    assert "absent.csv cannot be read as CSV" in one_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["evaluate", "m.csv", "--out", "o", "--detector", "heartbeat"],
            "unknown detector 'heartbeat': there is synchrony",
        ),
        (["evaluate", "m.csv", "--out", "o", "--fold", "a"], "--fold needs --split"),
        (["evaluate", "m.csv", "--out", "o", "--packs", "p", "--packs", "q"], "give one --packs for each --fold"),
        (["train", "calibration", "m.csv", "--out", "o", "--fold", "a", "--fold", "b"], "as many --fold as --packs"),
    ],
)
def test_options_that_do_not_go_together_are_bad_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 2
    assert message in one_line(capsys)


def test_training_without_torch_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.run(["train", "speech", "clips.csv"]) == 1
    assert "train speech needs torch: pip install 'sidewitness[train]'" in one_line(capsys)
