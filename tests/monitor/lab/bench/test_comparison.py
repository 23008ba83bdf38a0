"""Two runs beside each other: what changed, which way is better, and when nothing can be concluded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from monitor import cli
from monitor.lab.bench.comparison import ComparedMeasurement, CompareError, compare
from monitor.lab.bench.tables import show_comparison


def a_run(**values: float | None) -> dict[str, Any]:
    units = {"scan": "x real time", "cores": "cores"}
    return {
        "machine": {"processor": "Fast", "cores": 2, "versions": {"av": "18"}},
        "settings": {"clip": "a.mp4", "participants": 4},
        "rows": [{"name": name, "value": value, "unit": units.get(name, "s")} for name, value in values.items()],
        "engines": [{"pack": "lips", "engine": "onnx", "batch": 1, "items_per_second": 100.0}],
        "notes": [],
    }


@pytest.mark.parametrize(
    ("unit", "old", "new", "change"),
    [
        ("cores", 0.2, 0.1, "better"),
        ("cores", 0.1, 0.2, "worse"),
        ("x real time", 5.0, 10.0, "better"),
        ("participants", 8.0, 4.0, "worse"),
        ("s", 1.0, 1.09, "same"),
        ("s", 1.0, 0.92, "same"),
        ("%", 50.0, 90.0, "better"),
        ("times", 1.4, 1.8, "better"),
        ("people", 4.0, 8.0, ""),
        ("s", None, 1.0, ""),
        ("s", 1.0, None, ""),
        ("s", 0.0, 1.0, ""),
        ("MB/h", -1.0, 1.0, ""),
    ],
)
def test_less_is_better_but_of_what_is_wanted(unit: str, old: float | None, new: float | None, change: str) -> None:
    assert ComparedMeasurement("row", unit, old, new).change == change


def test_every_row_of_both_runs_is_there() -> None:
    found = compare(a_run(cores=0.2, scan=5.0, gone=1.0), a_run(cores=0.1, scan=None, new=2.0))
    rows = {row.name: (row.old, row.new, row.ratio) for row in found.rows}
    assert rows == {
        "cores": (0.2, 0.1, 0.5),
        "scan": (5.0, None, None),
        "new": (None, 2.0, None),
        "lips, onnx, batch 1": (100.0, 100.0, 1.0),
        "gone": (1.0, None, None),
    }
    assert found.notes == ()
    assert json.loads(json.dumps(found.as_json()))["rows"][0]["change"] == "better"


def test_machines_and_settings_that_differ_are_told() -> None:
    old, new = a_run(cores=1.0), a_run(cores=1.0)
    old["machine"] = {"processor": "Slow", "cores": 2, "versions": {"av": "17"}}
    old["settings"] = {"clip": "a.mp4", "participants": 8}
    old["notes"] = ["Other processes took 1 of 2 cores meanwhile: conclude nothing from this run, repeat it."]
    told = compare(old, new).notes
    assert told == (
        "These are different machines (processor Slow before, Fast now): the ratios say nothing of the code.",
        "Versions differ: av 17 before, 18 now.",
        "What was measured differs: participants 8 before, 4 now.",
        "The old run says itself that the machine was busy.",
    )


def test_a_run_of_before_there_were_engines_is_taken() -> None:
    old = a_run(cores=1.0)
    del old["engines"], old["machine"]["versions"]
    found = compare(old, a_run(cores=1.0))
    assert [row.old for row in found.rows] == [1.0, None]
    assert found.notes == ("Versions differ: av unknown before, 18 now.",)


@pytest.mark.parametrize(
    "old",
    [
        None,
        [],
        {},
        {"rows": []},
        {"rows": [{"name": "x"}]},
        {"rows": 5},
        {**a_run(cores=1.0), "machine": None},
        {**a_run(cores=1.0), "settings": []},
        {**a_run(), "engines": []},
        {**a_run(cores=1.0), "rows": [{"name": "x", "value": "much"}]},
    ],
)
def test_what_is_no_benchmark_is_refused_in_a_line(old: Any) -> None:
    with pytest.raises(CompareError, match=r"is no benchmark: give the bench\.json"):
        compare(old, a_run(cores=1.0))


def test_the_table_is_printed() -> None:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        old = a_run(cores=0.2, scan=None)
        show_comparison(compare({**old, "settings": {}}, a_run(cores=0.1, scan=5.0)), console)
    told = capture.get()
    assert "0.200 cores" in told
    assert "0.50" in told
    assert "better" in told
    assert "What was measured differs" in told
    assert "scan" not in told
    assert "1 more rows are in one of the runs only" in told


@pytest.mark.parametrize("text", ["not json", "{}"])
def test_an_old_run_that_cannot_be_read_is_told_before_the_work(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text(text)
    assert cli.run(["bench", "--compare", str(tmp_path / "old.json")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "give the bench.json of an earlier" in said.err
    assert said.err.count("\n") == 1


def test_an_old_run_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "--compare", str(tmp_path / "old.json")]) == 1
    assert "No such file" in capsys.readouterr().err
