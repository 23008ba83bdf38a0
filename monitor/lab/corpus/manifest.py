"""Folders of recorded clips as training and evaluation read them: a manifest, an optional split, and cached features.

Features are kept by content, so a clip is analysed once however often it is used; an interrupted run goes on where it
stopped.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from engines.base import Engine
from engines.errors import SidewitnessError
from engines.load import load_engine
from monitor.face.coefficients import find_coefficients
from monitor.lab.corpus.speech_features import Change, ClipFeatures, extract
from monitor.session.input_spec import DEFAULT, InputSpec
from monitor.session.models import DETECTOR, LANDMARKS, load_presence, presence_key
from monitor.tap.media.digest import digest
from monitor.tap.media.source import SourceError

_SPLITS = Path(__file__).parents[3] / "engines" / "training" / "splits"
RESEARCH_SPLIT = _SPLITS / "research.csv"
# Splits that are shipped, by the names that stand for them.
SHIPPED_SPLITS = {"research": RESEARCH_SPLIT, "sources": _SPLITS / "sources.csv"}
# Raised whenever the features of a clip would change.
FEATURES_VERSION = 2
T = TypeVar("T")


class OfClip(Protocol):
    """Anything that was made of one clip of a manifest."""

    @property
    def row(self) -> Row:
        """The clip's row."""
        ...


C = TypeVar("C", bound=OfClip)
SUFFIXES = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".m4v"}


class CorpusError(SidewitnessError):
    """A manifest or a split cannot be used; the message is one line that says what to do."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One clip of a manifest.

    `group` and `fold` come from a split and are empty without one; `source` says where the clip is from, if the
    manifest does. `sound` is a file of its own where the clip has no sound track; `reference` are clips of the person
    that the subject claims to be, `reference_sounds` the sound of each where they have none, in their order;
    `coefficients` is a file in which another tracker tells the expressions.
    """

    path: Path
    name: str
    label: str
    method: str
    subject: str
    group: str = ""
    fold: str = ""
    source: str = ""
    sound: Path | None = None
    reference: tuple[Path, ...] = ()
    coefficients: Path | None = None
    reference_sounds: tuple[Path | None, ...] = ()


def read_manifest(path: Path, needed: tuple[str, ...] = ("path", "label", "method", "subject")) -> list[Row]:
    """Read a manifest with the columns path, label (real or fake), method, subject, and perhaps more.

    Those are source, sound (a file of its own where the clip has no sound), reference (clips of the person that the
    subject claims to be, with `;` between them) and coefficients (a file that `monitor.face.coefficients` reads). Paths
    are relative to its folder. Raises `CorpusError`.
    """
    rows = []
    for number, raw in enumerate(read_csv(path, needed), 2):
        if raw["label"] not in ("real", "fake"):
            raise CorpusError(f"{path.name} line {number}: label is {raw['label']!r}, not real or fake")
        source = (raw.get("source") or "").split(":")[0]
        sound, coefficients = (path.parent / raw[name] if raw.get(name) else None for name in ("sound", "coefficients"))
        reference = tuple(
            path.parent / name.strip() for name in (raw.get("reference") or "").split(";") if name.strip()
        )
        clip = Row(
            path.parent / raw["path"], raw["path"], raw["label"], raw.get("method") or raw["label"], raw["subject"]
        )
        rows.append(replace(clip, source=source, sound=sound, reference=reference, coefficients=coefficients))
    if not rows:
        raise CorpusError(f"{path.name} lists no clips: add a line for each")
    return rows


def read_folder(folder: Path) -> list[Row]:
    """Every video under a folder, taken for genuine; the folder that holds a clip names its subject.

    A file of coefficients beside a clip has its name, and one of the endings of `monitor.face.coefficients`.
    """
    clips = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not clips:
        raise CorpusError(f"{folder} holds no video: name a folder of clips, or a manifest.csv")
    return [
        Row(p, str(p.relative_to(folder)), "real", "real", p.parent.name, coefficients=find_coefficients(p))
        for p in clips
    ]


def apply_split(rows: Sequence[Row], split: Path) -> list[Row]:
    """Take subject, group and fold of each clip from a split; clips that it does not name, or skips, are left out.

    The names in `SHIPPED_SPLITS` stand for those that are shipped.
    """
    split = SHIPPED_SPLITS.get(str(split), split)
    split_rows = {raw["path"]: raw for raw in read_csv(split, ("path", "subject", "group", "fold"))}
    chosen = []
    for row in rows:
        raw = split_rows.get(row.name)
        if raw is not None and raw["fold"] != "skip":
            chosen.append(replace(row, subject=raw["subject"], group=raw["group"], fold=raw["fold"]))
    if not chosen:
        raise CorpusError(f"{split.name} names none of the clips: its paths must be those of the manifest")
    return chosen


def read_left_out(path: Path) -> frozenset[str]:
    """Names of the clips that a list with the columns path, set_aside, reason sets aside.

    `outliers` stands for the shipped one. Raises `CorpusError`.
    """
    path = _SPLITS / "outliers.csv" if str(path) == "outliers" else path
    return frozenset(
        raw["path"] for raw in read_csv(path, ("path", "set_aside", "reason")) if raw["set_aside"] == "yes"
    )


def group_by_subject(clips: Iterable[C], label: Literal["real", "fake"]) -> dict[str, list[C]]:
    """Group what was made of genuine clips, or of forged ones, by the subjects in the order of their names."""
    groups: defaultdict[str, list[C]] = defaultdict(list)
    for clip in clips:
        if clip.row.label == label:
            groups[clip.row.subject].append(clip)
    return dict(sorted(groups.items()))


def load_features(
    rows: Sequence[Row],
    folder: Path,
    workers: int,
    done: Callable[[int], None],
    change: Change | None = None,
    input_spec: InputSpec = DEFAULT,
) -> Iterator[tuple[Row, ClipFeatures | str]]:
    """Features of each clip, or the line that says why there are none; in the order of `rows`, analysed in parallel.

    With a `change` they are those of the changed clips, kept beside the others.
    """
    task = partial(_row_features, folder=folder, change=change, input_spec=input_spec)
    return analysed(rows, task, ClipFeatures.load, workers, done)


def analysed(
    rows: Sequence[Row],
    task: Callable[[Row], Path | str],
    load: Callable[[Path], T],
    workers: int,
    done: Callable[[int], None],
) -> Iterator[tuple[Row, T | str]]:
    """Run `task` on each row in processes of its own, and load the file that it names; in the order of `rows`.

    A line in place of a file says why there is none. `task` must be picklable; `done` is told how many are finished.
    """
    # Spawned, not forked: the engines and progress bars of this process have threads, which a fork would cut off.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        results = pool.map(task, rows, chunksize=4)
        for count, (row, result) in enumerate(zip(rows, results, strict=True), 1):
            done(count)
            yield row, load(result) if isinstance(result, Path) else result


@cache
def _engines() -> tuple[Engine, Engine, Engine | None]:
    """Load the engines of this worker process, when its first uncached clip comes."""
    return load_engine(DETECTOR), load_engine(LANDMARKS), load_presence()


def _row_features(row: Row, folder: Path, change: Change | None, input_spec: InputSpec) -> Path | str:
    return _features(row.path, folder, change, row.sound, input_spec)


def _features(
    clip: Path, folder: Path, change: Change | None = None, sound: Path | None = None, input_spec: InputSpec = DEFAULT
) -> Path | str:
    try:
        content = digest(clip, sound)
    except OSError as error:
        return f"{clip.name}: {error.strerror}"
    try:
        return cached_features(clip, sound, content, folder, change, input_spec)
    except SourceError as error:
        return str(error)


def cached_features(
    clip: Path,
    sound: Path | None,
    digest: str,
    folder: Path,
    change: Change | None = None,
    input_spec: InputSpec = DEFAULT,
) -> Path:
    """File with the features of a clip, as the encoders want them, made if it is not there; raises `SourceError`."""
    target = folder / features_name(digest, change, input_spec)
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        detector, landmarks, presence = _engines()
        extract(clip, detector, landmarks, change, input_spec, sound, presence).save(target)
    return target


def features_name(digest: str, change: Change | None = None, input_spec: InputSpec = DEFAULT) -> str:
    """Name the file that holds the features of the clip with this digest, by all that they depend on."""
    parts = (digest, input_spec.name, change.name if change else "", presence_key(), f"v{FEATURES_VERSION}.npz")
    return ".".join(part for part in parts if part)


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the lines of a CSV file that has these columns; raises `CorpusError`."""
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise CorpusError(f"{path.name} lacks the columns {', '.join(missing)}: its first line must name them")
            for raw in reader:
                short = [c for c in columns if raw[c] is None]
                if short:
                    raise CorpusError(f"{path.name} line {reader.line_num} is too short: it has no {', '.join(short)}")
                yield raw
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path} cannot be read as CSV ({error}): check the path") from None


def workers_here() -> int:
    """One process a core."""
    return max(len(os.sched_getaffinity(0)), 1)
