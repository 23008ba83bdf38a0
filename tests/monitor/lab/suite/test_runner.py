"""Parts are measured once for the same packs, data and code; what cannot be measured stops nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.lab.corpus.manifest import CorpusError, Row, read_manifest
from monitor.lab.evaluate.worker_pool import WorkerOptions
from monitor.lab.suite.depends import code, pack_files, training_sources
from monitor.lab.suite.measures import MEASURES
from monitor.lab.suite.parts import NAMES, PARTS, Part
from monitor.lab.suite.result import PartResult
from monitor.lab.suite.runner import Ran, expected, run_parts
from monitor.lab.suite.setting import Setting, source_parts
from tests.pure import ROOT

HEAD = "path,label,method,subject,source\n"


def table(figures: Mapping[str, Any]) -> list[str]:
    return [f"| {figures['n']} |"]


PART = Part(
    "count",
    1,
    "counted",
    "wc",
    table,
    data=("clips.csv",),
    packs=("speech_lips/model.onnx",),
    code=("monitor/types.py",),
)
FREE = replace(PART, name="free", data=())


class Bench:
    """A folder of data, and measures that count how often they are asked."""

    def __init__(self, folder: Path) -> None:
        self.data, self.asked = folder / "data", 0
        self.data.mkdir()
        self.setting = Setting(self.data, folder / "out", WorkerOptions(folder, folder / "p.jsonl", 1))
        self.said: list[str] = []

    def count(self, setting: Setting) -> dict[str, Any]:
        self.asked += 1
        return {"n": self.asked}

    def run(self, *parts: Part, setting: Setting | None = None) -> Ran:
        measures = {part.name: self.count for part in parts}
        return run_parts(parts, measures, setting or self.setting, self.said.append)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def write(bench: Bench, text: str = HEAD) -> None:
    (bench.data / "clips.csv").write_text(text)


def test_a_part_is_measured_once_and_anew_for_other_data_code_or_versions(bench: Bench, tmp_path: Path) -> None:
    write(bench)
    assert bench.run(PART).results[0].figures == {"n": 1}
    assert (tmp_path / "out" / "count.md").read_text() == "| 1 |\n"
    assert bench.run(PART).results[0].figures == {"n": 1}
    assert bench.said[-1] == "part 1 of 1, count: as it was"
    write(bench, HEAD + "a.mp4,real,real,ann,x\n")
    assert bench.run(PART).results[0].figures == {"n": 2}
    assert bench.run(replace(PART, version=2)).results[0].figures == {"n": 3}
    assert bench.run(replace(PART, code=("monitor/config.py",))).results[0].figures == {"n": 4}
    assert bench.run(PART, setting=replace(bench.setting, limit=1)).results[0].figures == {"n": 5}
    assert bench.run(replace(PART, packs=("speech_voice/model.onnx",))).results[0].figures == {"n": 6}
    (tmp_path / "out" / "count.json").write_text("half a resu")
    assert bench.run(PART).results[0].figures == {"n": 7}


def test_what_cannot_be_measured_is_told_in_a_line_and_the_others_go_on(bench: Bench) -> None:
    lost = replace(PART, name="lost", data=(), packs=("no_such_pack/model.onnx",))
    ran = bench.run(PART, lost, FREE)
    assert [result.part for result in ran.results] == ["free"]
    assert "holds no clips.csv" in ran.failures["count"]
    assert "no model pack" in ran.failures["lost"]
    assert [line for line in bench.said if "not measured" in line] == [
        f"part 1 of 3, count: not measured: {ran.failures['count']}",
        f"part 2 of 3, lost: not measured: {ran.failures['lost']}",
    ]


def test_a_measure_that_fails_leaves_no_result(bench: Bench, tmp_path: Path) -> None:
    def fails(setting: Setting) -> dict[str, Any]:
        raise CorpusError("too few people")

    ran = run_parts([FREE], {"free": fails}, bench.setting, bench.said.append)
    assert ran == Ran((), {"free": "too few people"})
    assert not (tmp_path / "out" / "free.json").exists()


def test_results_name_the_shipped_packs_and_those_of_each_fold(bench: Bench) -> None:
    part = replace(FREE, packs=("speech",), across=True)
    setting = replace(bench.setting, across=(("1", bench.setting.models),))
    found = expected(part, setting)
    assert set(found.packs) >= {"speech_lips/model.onnx", "speech_voice/model.onnx"}
    assert found.scored_by == {"1": found.packs}
    assert expected(part, bench.setting).scored_by == {}
    assert found.key != expected(part, bench.setting).key
    assert PartResult.from_json(found.to_json(), "x") == found


def test_every_part_is_described_and_measured_and_names_what_is_there(bench: Bench) -> None:
    assert list(NAMES) == list(MEASURES)
    for part in PARTS:
        assert "absent" not in pack_files(part.packs, bench.setting.models).values(), part.name
        assert [name for name in part.code if not (ROOT / name).exists()] == [], part.name
        splits = [ROOT / "engines/training/splits" / f"{name}.csv" for name in part.splits]
        assert all(split.exists() for split in splits), part.name


def test_other_code_has_another_hash(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    file = tmp_path / "rules" / "one.py"
    file.write_text("x = 1\n")
    first = code.__wrapped__(("rules",), tmp_path)
    file.write_text("x = 2\n")
    assert code.__wrapped__(("rules",), tmp_path) != first


def packs_trained_on(folder: Path, sources: str) -> Path:
    pack = folder / "speech_lips"
    pack.mkdir(parents=True)
    (pack / "manifest.json").write_text(json.dumps({"data": {"sources": sources}}))
    return folder


def test_nobody_is_scored_by_encoders_that_know_their_source(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = tmp_path / "sources.csv"
    names = {"one.mp4": "1", "two.mp4": "2", "held.mp4": "a", "old.mp4": "always"}
    split.write_text("path,subject,group,fold\n" + "".join(f"{n},s-{n},g,{fold}\n" for n, fold in names.items()))
    monkeypatch.setattr("monitor.lab.suite.setting.RESEARCH_SPLIT", tmp_path / "research.csv")
    write(bench, HEAD + "held.mp4,real,real,x,lab:1\nold.mp4,real,real,x,lab:2\n")
    (bench.data / "second.csv").write_text(HEAD + "one.mp4,real,real,x,phones:1\ntwo.mp4,real,real,x,webcams:1\n")
    fresh, knows = packs_trained_on(tmp_path / "p", "lab"), packs_trained_on(tmp_path / "q", "lab, phones")
    assert training_sources(knows) == {"lab", "phones"}
    # Without packs for the folds, the shipped ones score all that they have not seen.
    alone = source_parts(replace(bench.setting, models=knows))
    assert [row.name for row in alone.rows] == ["two.mp4", "held.mp4"]
    assert alone.left_out == 1
    # With them, each fold has its own, and one that has seen its fold is refused.
    both = source_parts(replace(bench.setting, across=(("1", fresh), ("2", knows))))
    assert [(packs, [row.name for row in rows]) for packs, rows in both.parts] == [
        (fresh, ["one.mp4", "held.mp4"]),
        (knows, ["two.mp4"]),
    ]
    with pytest.raises(CorpusError, match="held that fold out"):
        source_parts(replace(bench.setting, across=(("1", knows), ("2", fresh))))


def test_a_limit_is_of_each_group(bench: Bench) -> None:
    write(bench, HEAD + "".join(f"{n}.mp4,fake,m{n % 2},s,x\n" for n in range(6)))
    rows = [row for row in replace(bench.setting, limit=2).thinned(_rows(bench)) if row.label == "fake"]
    assert [row.name for row in rows] == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]


def _rows(bench: Bench) -> list[Row]:
    return read_manifest(bench.data / "clips.csv")
