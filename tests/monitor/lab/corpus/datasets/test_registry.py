"""A data set is one file and a line in `LAYOUTS`: `tests/toys/listed_calls.py` is read wherever clips are."""

from __future__ import annotations

import csv
import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from monitor import cli
from monitor.lab.corpus import datasets
from monitor.lab.corpus.datasets import LAYOUTS, DatasetPart, read_corpus, read_dataset
from monitor.lab.corpus.datasets.base import Layout
from monitor.lab.corpus.manifest import CorpusError
from tests.monitor.lab.corpus.datasets.trees import write
from tests.monitor.tap.clips import write_clip
from tests.toys.listed_calls import LAYOUT, LIST

ROOT = Path(__file__).parents[5]
ROWS = (
    ("1.mp4", "Ann", "recorded", "test"),
    ("2.mp4", "Ann", "puppet", "test"),
    ("3.mp4", "Bob", "recorded", "train"),
    ("4.mp4", "Bob", "mask", "train"),
)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """The folder of a data set, of four short clips without a face."""
    root = tmp_path / "calls"
    write(root / LIST, "clip,person,how,subset\n" + "".join(",".join(row) + "\n" for row in ROWS))
    (root / "clips").mkdir()
    for name, *_ in ROWS:
        write_clip(root / "clips" / name, seconds=1.0, size=(96, 64))
    return root


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line in `LAYOUTS`."""
    monkeypatch.setitem(LAYOUTS, LAYOUT.name, LAYOUT)


def evaluate(root: Path, out: Path, *more: str) -> int:
    shared = ["--out", str(out), "--cache", str(out.with_name("features")), "--workers", "1", "--json"]
    return cli.run(["evaluate", str(root), *shared, *more])


def results(out: Path) -> list[tuple[str, ...]]:
    columns = ("path", "label", "method", "subject", "reason")
    with (out / "results.csv").open(newline="") as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


@pytest.mark.usefixtures("registered")
def test_it_is_known_by_its_folder_and_evaluated(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert evaluate(calls, out) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["dataset"] == "listed-calls"
    assert results(out) == [
        ("clips/1.mp4", "real", "recorded", "Ann", "no_face"),
        ("clips/2.mp4", "fake", "puppet", "Ann", "no_face"),
    ]
    assert (summary["synchrony"]["apnrr"], summary["synchrony"]["bpnrr"]) == (1.0, 1.0)


@pytest.mark.usefixtures("registered")
def test_it_is_named_on_the_command_line_and_a_part_of_it_chosen(calls: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert evaluate(calls, out, "--dataset", "listed-calls", "--subset", "train") == 0
    assert [row[:4] for row in results(out)] == [
        ("clips/3.mp4", "real", "recorded", "Bob"),
        ("clips/4.mp4", "fake", "mask", "Bob"),
    ]


@pytest.mark.usefixtures("registered")
def test_it_is_trained_on_and_what_it_lacks_is_one_line(calls: Path) -> None:
    assert [(row.subject, row.method) for row in read_corpus(calls)] == [(who, how) for _, who, how, _ in ROWS]
    (calls / "clips/2.mp4").unlink()
    with pytest.raises(CorpusError, match="does not look like Listed Calls: it has no forged clips"):
        read_dataset(calls)
    name, found = read_dataset(calls, None, DatasetPart("all"))
    assert (name, found.notes) == ("listed-calls", (f"1 of the 4 clips that {LIST} lists are not there",))


def test_without_its_line_it_is_no_data_set(calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more, words in (
        ((), "looks like none of the known data sets"),
        (("--dataset", "listed-calls"), "unknown data set 'listed-calls'"),
    ):
        assert evaluate(calls, tmp_path / "out", *more) == 2
        assert words in capsys.readouterr().err


def layouts() -> Iterator[Layout]:
    """The layouts that the files of the folder bring, registered or not."""
    for module in pkgutil.iter_modules(datasets.__path__):
        yield from getattr(import_module(f"{datasets.__name__}.{module.name}"), "LAYOUTS", ())


def test_no_file_is_without_its_line_and_no_name_is_taken_twice() -> None:
    assert sorted(layout.name for layout in layouts()) == sorted(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_data_set_has_its_row_in_the_documents(name: str) -> None:
    assert f"\n| `{name}` | " in (ROOT / "docs/evaluate.md").read_text()
