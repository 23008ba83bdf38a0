"""What the readers of published data sets share: the seam, what is wanted of a data set, and how files are listed.

A reader looks at names and lists only, never into a video. Whatever is not as published is one line that says what is
missing.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.lab.corpus.manifest import SUFFIXES, CorpusError, Row

SUBSETS = ("train", "val", "test", "all")
# As many clips of a person as are kept for reference.
MAX_REFERENCES = 10
SOUNDS = (".wav", ".m4a", ".aac", ".mp3", ".flac")


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """Which part of a data set: a subset (None: the official test set, if lists are there) and a compression."""

    subset: str | None = None
    compression: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetClips:
    """The clips of a data set; `notes` say what a person should know of how they were chosen."""

    rows: list[Row]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """A published data set: its name on the command line, its title, how a folder is known, and its reader."""

    name: str
    title: str
    looks_like: Callable[[Path], bool]
    read: Callable[[Path, DatasetPart], DatasetClips]


def missing(title: str, folder: Path, what: str) -> CorpusError:
    """Make the error that says what a folder lacks."""
    return CorpusError(f"{folder} does not look like {title}: it has no {what}; docs/evaluate.md shows the folders")


def videos(folder: Path) -> list[Path]:
    """List every video under a folder, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def first(candidates: Iterable[Path]) -> Path | None:
    """Return the first path that exists."""
    return next((path for path in candidates if path.exists()), None)


def make(root: Path, path: Path, label: str, method: str, subject: str, **more: Any) -> Row:
    """Make a row, named by its path in the data set."""
    return Row(path, path.relative_to(root).as_posix(), label, method, subject, **more)


def with_references(rows: Sequence[Row], claimed: Mapping[str, str]) -> list[Row]:
    """Give each row the reference clips of the person it claims to show: `claimed` by row name, else its subject.

    Genuine clips of a person are dealt to two halves in turn, each the other's reference, so that no clip is its own;
    forged ones are compared with the first. `MAX_REFERENCES` of a half are taken. Rows that have references keep them,
    and those of a person with too few clips get none.
    """
    genuine: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.label == "real":
            genuine[row.subject].append(row)
    side = {row.name: n % 2 for clips_of_person in genuine.values() for n, row in enumerate(clips_of_person)}
    rows_with_references = []
    for row in rows:
        clips_of_person = genuine[claimed.get(row.name, row.subject)]
        references = clips_of_person[1 - side[row.name] :: 2] if row.label == "real" else clips_of_person[::2]
        references = references[:MAX_REFERENCES]
        sounds = tuple(reference.sound for reference in references)
        with_reference = replace(
            row, reference=tuple(reference.path for reference in references), reference_sounds=sounds
        )
        rows_with_references.append(row if row.reference or not references else with_reference)
    return rows_with_references


def present(rows: Sequence[Row], title: str, folder: Path, listed_in: str) -> DatasetClips:
    """Keep the rows whose clips are there; raises `CorpusError` when none is."""
    here = [row for row in rows if row.path.exists()]
    if not here:
        raise missing(title, folder, f"clip that {listed_in} lists")
    lost = len(rows) - len(here)
    return DatasetClips(
        here, (f"{lost} of the {len(rows)} clips that {listed_in} lists are not there",) if lost else ()
    )


def with_both_labels(clips: DatasetClips, title: str, folder: Path) -> DatasetClips:
    """Return what was found; raises `CorpusError` unless it has genuine and forged clips."""
    labels = {row.label for row in clips.rows}
    for label, words in (("real", "genuine"), ("fake", "forged")):
        if label not in labels:
            raise missing(title, folder, f"{words} clips")
    return clips


def read_json(path: Path) -> Any:
    """Read a JSON file; raises `CorpusError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError(f"{path} cannot be read as JSON ({type(error).__name__}): download it again") from None


def read_lines(path: Path) -> list[str]:
    """Read the lines of a list, without blank ones; raises `CorpusError`."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} cannot be read as text ({type(error).__name__}): download it again") from None


def read_table(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    """Read the rows below the head of a CSV that begins with these columns; raises `CorpusError`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            head = next(rows, [])
            if [name.strip() for name in head[: len(columns)]] != list(columns):
                raise CorpusError(f"{path} does not begin with the columns {','.join(columns)}: download it again")
            yield from (row for row in rows if len(row) >= len(columns))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path} cannot be read as CSV ({type(error).__name__}): download it again") from None


def no_lists(wanted: DatasetPart, title: str, folder: Path, lists: str) -> tuple[str, ...]:
    """Say that every clip is read for want of split lists; raises `CorpusError` when a subset was asked for."""
    if wanted.subset not in (None, "all"):
        raise missing(title, folder, lists)
    return () if wanted.subset == "all" else (f"{title}: {lists} not found, so every clip is read",)
