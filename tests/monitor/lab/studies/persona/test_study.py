"""The study from clips to files, its rows from splits, and its command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS, EngineError
from monitor import cli
from monitor.detectors.persona.detector import PersonaPeople
from monitor.lab.corpus.manifest import CorpusError, Row
from monitor.lab.corpus.speech_features import Change
from monitor.lab.studies.persona.recordings import Footage
from monitor.lab.studies.persona.study import Study, parts_of, run
from monitor.lab.studies.persona.verification_trials import CONFOUNDS, confounds_of
from tests.monitor.lab.studies.persona.crowd import clip, measurer, people

HEAD = "path,label,method,subject\n"


def manifest(folder: Path, *lines: str) -> Path:
    path = folder / "clips.csv"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return path


def test_each_pack_measures_its_fold_and_what_was_forged_of_it(tmp_path: Path) -> None:
    data = manifest(tmp_path, "1.mp4,real,real,x", "2.mp4,real,real,x", "3.mp4,fake,swap,ann", "4.mp4,fake,swap,bob")
    split = tmp_path / "split.csv"
    split.write_text("path,subject,group,fold\n1.mp4,ann,g,a\n2.mp4,bob,g,b\n3.mp4,ann,g,matched\n")
    found = parts_of(data, split, ["a", "b"], [tmp_path / "pa", tmp_path / "pb"])
    assert [(folder.name, [row.name for row in rows]) for folder, rows in found] == [
        ("pa", ["1.mp4", "3.mp4"]),
        ("pb", ["2.mp4", "4.mp4"]),
    ]
    (everything,) = parts_of(data, split, [], [tmp_path])
    assert [row.name for row in everything[1]] == ["1.mp4", "2.mp4", "3.mp4", "4.mp4"]
    (plain,) = parts_of(data, None, [], [tmp_path])
    assert [row.name for row in plain[1]] == ["1.mp4", "2.mp4"]
    with pytest.raises(CorpusError, match="no genuine clip is in fold 'c'"):
        parts_of(data, split, ["c"], [tmp_path])
    (tmp_path / "clips" / "ann").mkdir(parents=True)
    (tmp_path / "clips/ann/1.mp4").touch()
    assert parts_of(tmp_path / "clips", None, [], [tmp_path])[0][1][0].subject == "ann"


@pytest.mark.data
def test_the_shipped_split_measures_people_that_the_other_packs_saw(data_dir: Path) -> None:
    (_, first), (_, second) = parts_of(data_dir / "clips.csv", Path("persona"), ["a", "b"], [MODELS, MODELS])
    subjects = [{row.subject for row in rows} for rows in (first, second)]
    assert not subjects[0] & subjects[1]
    assert "grid-s1" in subjects[1]
    assert sum(row.subject == "grid-s1" for row in second) == 60
    forged = [row for row in (*first, *second) if row.label == "fake"]
    assert len(forged) == 74
    assert {row.subject for row in forged} <= subjects[0] | subjects[1]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of made-up people by two folders of packs."""
    shown = {each.row.name: each for each in people()}

    def footage(_study: Study, rows: tuple[Row, ...], change: Change | None = None) -> list[Footage]:
        found = [shown[row.name] for row in rows]
        return found if change is None else [replace(each, key=f"{each.key}.{change.name}") for each in found]

    def confounds(_study: Study, footage: list[Footage]) -> dict[str, dict[str, float]]:
        return {each.key: dict.fromkeys(CONFOUNDS, 1.0) for each in footage}

    monkeypatch.setattr("monitor.lab.studies.persona.study._footage", footage)
    monkeypatch.setattr("monitor.lab.studies.persona.study._confounds", confounds)
    monkeypatch.setattr(
        "monitor.lab.studies.persona.study._measurer", lambda study, packs: measurer(study.cache / packs.name)
    )
    rows = [each.row for each in shown.values()]
    sides = [tuple(row for row in rows if (row.subject < "p04") is first) for first in (True, False)]
    parts = ((Path("a"), sides[0]), (Path("b"), sides[1]))
    return Study(parts, tmp_path / "out", tmp_path / "cache", 1, compressed=True)


def test_a_study_writes_what_it_found(study: Study) -> None:
    told, found = run(study)
    assert {path.name for path in study.out.iterdir()} == {
        *("people.json", "people.md", "pieces.csv", "forged.csv", "forged.md"),
        *("lengths.png", "people.png", "forged.png"),
        "pieces-small.csv",
    }
    assert json.loads((study.out / "people.json").read_text()) == told
    assert told["people"] == {"15 s of speech or more": 8, "other recordings": 4, "everybody": 8}
    assert told["genuine"]["everybody"]["5 s"]["distance"]["auc"] > 0.9
    assert told["small call"]["change"]["everybody"]["5 s"]["distance"]["gain"] == 0.0
    assert told["forged"]["swapped"]["distance"]["wins"] == 1.0
    assert found.people == 8
    assert PersonaPeople.from_bytes(found.to_bytes()).key == found.key


@pytest.mark.long
def test_the_command_tells_and_writes(study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("monitor.lab.studies.persona.study.parts_of", lambda *_: study.parts)
    command = ["train", "people", str(tmp_path), "--out", str(study.out), "--cache", str(study.cache)]
    assert cli.run([*command, "--workers", "1"]) == 0
    assert cli.run([*command, "--json", "--into", str(tmp_path)]) == 1
    assert cli.run([*command, "--fold", "a"]) == 2
    assert cli.run([*command, "--weights", "0", "0"]) == 2
    assert cli.run([*command, "--fold", "a", "--packs", "x", "--packs", "y"]) == 2


def test_packs_without_the_model_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from monitor.lab.studies.persona.study import _measurer

    monkeypatch.setattr("monitor.lab.studies.persona.study.load_persona", lambda _loader: None)
    with pytest.raises(EngineError, match="train persona"):
        _measurer(Study((), tmp_path, tmp_path, 1), MODELS)


@pytest.mark.data
def test_what_is_known_without_movement(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "clips/real/deep_avsr__00009.mp4"
    own = clip(0, 3.0, path=path)
    told: list[str | None] = []
    (found,) = confounds_of([own], tmp_path, 1, told.append).values()
    assert told == [None]
    assert set(found) == {"bitrate", "sharpness"} < set(CONFOUNDS)
    assert all(np.isfinite(value) for value in found.values())
    assert 5 < found["bitrate"] < 14
