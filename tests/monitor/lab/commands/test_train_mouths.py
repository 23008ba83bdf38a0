"""`train mouths` on clips that show nobody is one line, and on people's clips a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app

RUN = CliRunner()


def test_clips_that_cannot_be_read_are_told_and_too_few_people_are_one_line(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="it fits models: install the extra `train`")
    manifest = tmp_path / "clips.csv"
    manifest.write_text("path,label,method,subject\nabsent.mp4,real,real,a\n")
    result = RUN.invoke(app, ["train", "mouths", str(manifest), "--cache", str(tmp_path)])
    assert result.exit_code != 0
    assert "at least 4 people" in str(result.exception or result.output)
    split = RUN.invoke(app, ["train", "mouths", str(manifest), "--split", str(tmp_path / "none.csv")])
    assert split.exit_code != 0


@pytest.mark.long
@pytest.mark.data
def test_forgeries_are_measured_beside_genuine_clips_that_were_coded_again(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="it fits models: install the extra `train`")
    out = tmp_path / "out"
    asked = ["train", "mouths", str(data_dir / "clips.csv"), str(data_dir / "second.csv"), "--out", str(out)]
    result = RUN.invoke(app, [*asked, "--cache", str(tmp_path), "--per-method", "1", "--people", "4", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads((out / "results.json").read_text())
    assert told[-1]["method"] == "genuine, coded again"
    assert all(0 <= row["low"] <= row["auc"] <= row["high"] <= 1 for row in told)
