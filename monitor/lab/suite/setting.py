"""What a run of the suite works on: the folder of data, the packs of each fold, and where everything goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.base import MODELS
from monitor.lab.corpus.manifest import RESEARCH_SPLIT, CorpusError, Row, apply_split, read_manifest
from monitor.lab.evaluate.worker_pool import WorkerOptions
from monitor.lab.suite.depends import training_sources

# Whom the shipped packs have not seen: the fold of people of the research clips, and the folds of sources.
HELD_OUT = "a"
SOURCE_FOLDS = ("1", "2")

FoldPacks = tuple[str, Path]


@dataclass(frozen=True, slots=True)
class Setting:
    """`data` holds the manifests; `across` names the packs that scored nobody of a fold in training.

    With a `limit` at most so many clips of each group and fold are used: to see that everything runs.
    """

    data: Path
    out: Path
    effort: WorkerOptions
    across: tuple[FoldPacks, ...] = ()
    limit: int | None = None
    models: Path = MODELS

    def research(self, forged: bool) -> list[Row]:
        """Give the clips of the research collection, the genuine ones as its split names them."""
        rows = read_manifest(self.data / "clips.csv")
        held_out = [row for row in apply_split(rows, RESEARCH_SPLIT) if row.label == "real" and row.fold == HELD_OUT]
        return self.thinned([*held_out, *(row for row in rows if forged and row.label == "fake")])

    def thinned(self, rows: Sequence[Row]) -> list[Row]:
        """Keep at most `limit` clips of each kind, the first ones."""
        counts: Counter[tuple[str, ...]] = Counter()
        chosen = []
        for row in rows:
            kind = (row.label, row.fold, row.group, row.method if row.label == "fake" else "")
            counts[kind] += 1
            if self.limit is None or counts[kind] <= self.limit:
                chosen.append(row)
        return chosen


@dataclass(frozen=True, slots=True)
class SourceParts:
    """Genuine clips by the packs that score them, and how many were left out because those packs know their source."""

    parts: tuple[tuple[Path, tuple[Row, ...]], ...]
    left_out: int

    @property
    def rows(self) -> list[Row]:
        """Give all clips."""
        return [row for _, rows in self.parts for row in rows]


def source_parts(setting: Setting) -> SourceParts:
    """Divide both collections by the split of sources, each fold with packs that have not seen it.

    Without packs for the folds the shipped ones score every fold, less the sources that their manifest says they were
    trained on. The people of the research clips that all encoders leave out are scored by the first packs. Raises
    `CorpusError` where packs that are given for a fold were trained on a source of it.
    """
    rows = [row for name in ("clips.csv", "second.csv") for row in read_manifest(setting.data / name)]
    split = RESEARCH_SPLIT.with_name("sources.csv")
    genuine = [row for row in apply_split(rows, split) if row.label == "real"]
    across = list(setting.across) or [(fold, setting.models) for fold in SOURCE_FOLDS]
    if HELD_OUT not in {fold for fold, _ in across}:
        across.append((HELD_OUT, across[0][1]))
    parts, left_out = [], 0
    for fold, packs in across:
        chosen = [row for row in genuine if row.fold == fold]
        seen = [row for row in chosen if row.fold in SOURCE_FOLDS and row.source in training_sources(packs)]
        if seen and setting.across:
            raise CorpusError(
                f"{packs} was trained on {len(seen)} clips of sources of fold {fold}: "
                f"give the packs whose training held that fold out"
            )
        left_out += len(seen)
        kept = [row for row in chosen if row not in seen]
        parts.append((packs, tuple(setting.thinned(kept))))
    # Vectors of the same packs may meet.
    merged: dict[Path, tuple[Row, ...]] = {}
    for packs, clips in parts:
        merged[packs] = (*merged.get(packs, ()), *clips)
    return SourceParts(tuple((packs, clips) for packs, clips in merged.items() if clips), left_out)
