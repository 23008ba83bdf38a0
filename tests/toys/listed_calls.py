"""A data set of nobody's: clips, and a list that says of each who is seen, how it was made and which part it is of."""

from __future__ import annotations

from pathlib import Path

from monitor.lab.corpus.datasets.base import (
    DatasetClips,
    DatasetPart,
    Layout,
    make,
    present,
    read_table,
    with_both_labels,
)

TITLE, LIST = "Listed Calls", "listed_calls.csv"


def _read(root: Path, wanted: DatasetPart) -> DatasetClips:
    part = wanted.subset or "test"
    rows = [
        make(root, root / "clips" / name, "real" if how == "recorded" else "fake", how, who)
        for name, who, how, subset in read_table(root / LIST, ("clip", "person", "how", "subset"))
        if part in ("all", subset)
    ]
    return with_both_labels(present(rows, TITLE, root, LIST), TITLE, root)


def _looks_like(root: Path) -> bool:
    return (root / LIST).is_file()


LAYOUT = Layout("listed-calls", TITLE, _looks_like, _read)
