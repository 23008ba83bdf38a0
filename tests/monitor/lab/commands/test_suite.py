"""`evaluate --suite` as a person runs it: what can be measured is, the rest is told, and a document is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor import cli

DOCUMENT = "Before.\n\n<!-- suite:blends -->\n<!-- /suite -->\n\nAfter.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data in which there is nothing, and a document; commands run beside them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "results.md").write_text(DOCUMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_can_be_measured_is_and_the_rest_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "--suite", "data", "--part", "blends", "--part", "identity", "--write", "results.md"]
    assert cli.run(command) == 1
    said = capsys.readouterr()
    assert "| clean | .959 |" in said.out
    assert said.err.splitlines() == [
        "part 1 of 2, blends: real faces against their own blends, from the pack's own record",
        "part 2 of 2, identity: not measured: data holds no photos.csv",
    ]
    text = (folder / "results.md").read_text()
    assert text.startswith("Before.")
    assert "| clean | .959 |" in text
    assert text.endswith("After.\n")
    stored = json.loads((folder / "results" / "blends.json").read_text())
    assert stored["packs"].keys() == {"face_artefacts/model.onnx"}
    assert cli.run(["evaluate", "--suite", "data", "--part", "blends", "--json"]) == 0
    said = capsys.readouterr()
    assert "blends: as it was" in said.err
    assert json.loads(said.out)["results"] == [{key: value for key, value in stored.items() if key != "schema"}]


def test_a_trial_is_in_no_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "--suite", "data", "--part", "blends", "--limit", "2", "--write", "results.md"]
    assert cli.run(command) == 1
    assert "fit for no document" in capsys.readouterr().err
    assert (folder / "results.md").read_text() == DOCUMENT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "data", "--part", "weather"], "no part 'weather': there is sources"),
        (["--suite", "data", "--fold", "1"], "give one --packs for each --fold"),
        (["--suite", "clips.csv"], "is no folder of clips.csv"),
        (["--suite"], "name a manifest, a folder of clips"),
        (["data", "--part", "blends"], "need --suite"),
    ],
)
def test_options_that_do_not_go_together_are_bad_usage(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["evaluate", *arguments]) == 2
    assert message in capsys.readouterr().err
