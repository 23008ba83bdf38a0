"""`train` and `evaluate` as a person runs them, on seconds of clips; and the line said of what they cannot use."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from engines.load import load_engine
from monitor import cli
from monitor.commands import train
from monitor.decision.calibration import Calibration
from monitor.mismatch import KINDS
from tests.monitor.tap.clips import write_clip

CLIPS = {
    "ann": "clips/real/LivePortrait__d12.mp4",
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
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["evaluate", str(corpus / "clips.csv"), "--out", str(out), "--cache", str(corpus / "cache")]
    assert cli.run([*command, "--mismatch", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((out / "summary.json").read_text())
    whole = summary["synchrony"]
    assert (whole["fake"], whole["real"], whole["abstained"]) == (1, 3, 2)
    assert whole["reasons"] == {"no_face": 1, "unreadable": 1}
    assert set(whole["methods"]) == {"none"}
    assert set(summary["mismatch"]) == {f"{kind} {n} s" for kind in KINDS for n in (2, 3, 5, 10)}
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
    assert float(rows[0]["seconds"]) == pytest.approx(7.32, abs=0.2)
    assert cli.run([*command, "--detector", "synchrony"]) == 0
    assert "synchrony" in capsys.readouterr().out


@pytest.mark.data
def test_training_makes_packs_and_goes_on_where_it_stopped(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="training needs torch: install the extra `train`")
    split = tmp_path / "split.csv"
    with (corpus / "clips.csv").open(newline="") as file:
        names = {row["subject"]: row["path"] for row in csv.DictReader(file) if row["label"] == "real"}
    folds = {"ann": "always", "bob": "always", "eve": "a", "bars": "always"}
    lines = [f"{names[who]},{who},wild,{fold}" for who, fold in folds.items()]
    split.write_text("\n".join(["path,subject,group,fold", *lines]) + "\n")
    common = [str(corpus / "clips.csv"), "--split", str(split), "--cache", str(corpus / "cache")]
    assert cli.run(["train", "speech", *common, "--out", str(tmp_path / "run"), "--smoke"]) == 0
    said = capsys.readouterr().err
    assert "2 clips to train on, 1 held out" in said
    packs = tmp_path / "run" / "packs"
    for name in ("speech_lips", "speech_voice"):
        assert load_engine(name, models=packs).manifest.data["subjects"] == 2
    assert (tmp_path / "run" / "checkpoint.pt").exists()


@pytest.mark.data
def test_too_few_people_are_no_calibration(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "calibration.json"
    command = ["train", "calibration", str(corpus / "clips.csv"), "--fold", "always", "--out", str(target)]
    assert cli.run([*command, "--cache", str(corpus / "cache")]) == 1
    said = capsys.readouterr()
    assert "people, left out" in said.out
    assert said.err.startswith("error: ")
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
            ["evaluate", "m.csv", "--out", "o", "--detector", "persona"],
            "unknown detector 'persona': there is synchrony",
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
    monkeypatch.setattr(train, "find_spec", lambda _: None)
    assert cli.run(["train", "speech", "clips.csv"]) == 1
    assert "training needs torch" in one_line(capsys)
