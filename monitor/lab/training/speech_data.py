"""From clips to what the recipes in `engines.training` take: the one place where calls' features meet torch."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from engines.training.clips import Clip
from monitor.lab.corpus.datasets import read_corpus
from monitor.lab.corpus.manifest import Row, apply_split, load_features, workers_here
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.distortions.call_simulation import SimulatedCall

MIN_STEPS = 20
# How much of a batch each group of the shipped splits makes up. Anchors and GRID are most of the minutes and none of
# the variety; some of the doubtful may have another's voice.
GROUP_WEIGHTS = {
    "anchors": 0.10,
    "grid": 0.04,
    "wild": 0.22,
    "testimonial": 0.22,
    "vlog": 0.14,
    "trial": 0.10,
    "studio": 0.07,
    "panel_show": 0.03,
    "public_figure": 0.05,
    "doubtful": 0.01,
    "lab": 0.02,
}
Progress = Callable[[int], None]
Note = Callable[[str], None]


def to_clip(row: Row, features: ClipFeatures) -> Clip | None:
    """Make a training clip; None when there is too little of it, or several faces leave open who speaks."""
    good = features.face & features.speech
    if len(features) < MIN_STEPS or features.faces > 1 or good.sum() < MIN_STEPS // 2:
        return None
    return Clip(row.name, row.subject, row.group or row.subject, features.shape, features.mouth, features.mel, good)


def divide(rows: Sequence[Row], hold_out: Sequence[str]) -> list[Row]:
    """Without a split, put every fourth subject (by the hash of its name) into the first fold to hold out."""
    if any(row.fold for row in rows):
        return list(rows)
    return [replace(row, fold=hold_out[0] if zlib.crc32(row.subject.encode()) % 4 == 0 else "always") for row in rows]


def training_rows(
    data: Sequence[Path], split: Path | None, hold_out: Sequence[str], dataset: str | None = None
) -> list[Row]:
    """Genuine clips of manifests or folders, in the folds of a split or in folds made here; raises `CorpusError`."""
    rows = [row for one in data for row in read_corpus(one, dataset)]
    if split is not None:
        rows = apply_split(rows, split)
    return [row for row in divide(rows, hold_out) if row.label == "real"]


def load_clips(
    rows: Sequence[Row], hold_out: Sequence[str], cache: Path, calls: int, progress: Progress, note: Note
) -> tuple[list[Clip], list[Clip]]:
    """Clips to train on, each also as `calls` bad calls garble it, and clips held out, as they are.

    Versions of a clip carry its name; the plain ones come first. `progress` is told how many of `analyses` are done,
    `note` what could not be used.
    """
    training: list[Clip] = []
    held_out: list[Clip] = []
    analysed = 0
    for call in range(calls + 1):
        chosen = [row for row in rows if not call or row.fold not in hold_out]
        change = SimulatedCall(call) if call else None
        for row, features in load_features(chosen, cache, workers_here(), _nothing, change):
            analysed += 1
            progress(analysed)
            if isinstance(features, str):
                if not call:
                    note(features)
                continue
            clip = to_clip(row, features)
            if clip is not None:
                (held_out if row.fold in hold_out else training).append(clip)
    return training, held_out


def analyses(rows: Sequence[Row], hold_out: Sequence[str], calls: int) -> int:
    """How many clips `load_clips` analyses, or finds analysed."""
    return len(rows) + calls * sum(row.fold not in hold_out for row in rows)


def _nothing(_: int) -> None:
    pass
