"""From recordings of people who speak to what the recipes of movement take: the one place where the two meet."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from engines.base import Engine
from engines.training.motion_clips import MotionClip, join_short
from engines.training.persona_data import NOBODY, PersonaClip
from monitor.detectors.persona.companion import MotionPopulation, fit_population
from monitor.face.expression import ExpressionBasis, neutral_of, with_velocity
from monitor.lab.corpus.manifest import RESEARCH_SPLIT, CorpusError, Row, workers_here
from monitor.lab.corpus.motion_features import ClipMotion, learn_basis, load_motions
from monitor.lab.training.speech_data import training_rows
from monitor.window.grid import GRID_HZ

# Names of the splits that are shipped, and in them the subjects under whose names several people were put.
SPLITS = ("persona", "research")
SEVERAL = frozenset({"anchors"})
LEAST_STEPS = 20
# Steps between two windows of a recording that say what embeddings of movement do in general.
HOP = 25
Tick = Callable[[str | None], None]
Found = tuple[Row, ClipMotion]


@dataclass(frozen=True, slots=True, eq=False)
class MovingPeople:
    """Clips for both models, in a basis that was learnt from those to train on."""

    basis: ExpressionBasis
    training: list[PersonaClip]
    held_out: list[PersonaClip]
    companion: list[MotionClip]
    companion_held_out: list[MotionClip]


def moving_rows(data: Path, split: Path | None, hold_out: str, most: int = 0) -> list[Row]:
    """Genuine clips of a manifest or a folder, in the folds of a split.

    With `most` at most so many of them, two of each person before more. Raises `CorpusError`.
    """
    shipped = {name: RESEARCH_SPLIT.with_name(f"{name}.csv") for name in SPLITS}
    rows = training_rows(data, shipped.get(str(split), split) if split else None, hold_out)
    if most and len(rows) > most:
        seen: Counter[str] = Counter()
        turns = []
        for row in rows:
            turns.append(seen[row.subject] // 2)
            seen[row.subject] += 1
        chosen = sorted(range(len(rows)), key=lambda n: turns[n])[:most]
        rows = [rows[n] for n in sorted(chosen)]
    return rows


def read_motions(rows: Sequence[Row], cache: Path, packs: Path, tick: Tick) -> list[Found]:
    """How the face of each clip moves, of those that show one speaking face; `tick` is told what could not be used.

    Raises `CorpusError` when nothing is left.
    """
    found: list[Found] = []
    for row, clip in load_motions(rows, cache, workers_here(), lambda _: None, packs=packs):
        problem = clip if isinstance(clip, str) else _problem(row, clip)
        tick(problem)
        if not problem and isinstance(clip, ClipMotion):
            found.append((row, clip))
    if not found:
        raise CorpusError("no clip shows one speaking face: check the data")
    return found


def _problem(row: Row, clip: ClipMotion) -> str | None:
    if clip.faces > 1:
        return f"{row.path.name}: several faces leave open who speaks"
    if np.count_nonzero(clip.valid) < LEAST_STEPS or not (clip.valid & clip.speech).any():
        return f"{row.path.name}: too little of one speaking face"
    return None


def moving_people(
    found: Sequence[Found], hold_out: str, components: int, several: Collection[str], kept: Path
) -> MovingPeople:
    """Make clips for both models; the basis is that of the file `kept`, or learnt from the clips to train on.

    Clips of a subject in `several` are of people who cannot be told apart: such teach the first model no tokens, and
    the second nothing but those that `anchors.csv` tells apart. Clips that are too short for the second are joined.
    Raises `CorpusError` without clips to train on, `TrainingError` where they make no basis.
    """
    learnt = [(row.subject, clip) for row, clip in found if row.fold != hold_out]
    if not learnt:
        raise CorpusError(f"every clip is in the fold {hold_out!r}: hold out another one")
    if kept.exists():
        basis = ExpressionBasis.from_bytes(kept.read_bytes())
    else:
        basis = learn_basis(learnt, components)
        kept.write_bytes(basis.to_bytes())
    parts: tuple[list[PersonaClip], list[PersonaClip]] = ([], [])
    beside: tuple[list[MotionClip], list[MotionClip]] = ([], [])
    apart = told_apart()
    for row, clip in found:
        side = int(row.fold == hold_out)
        one = persona_clip(row, clip, basis)
        known = row.subject not in several
        parts[side].append(one if known else replace(one, person=NOBODY))
        if name := row.subject if known else apart.get(row.name):
            beside[side].append(motion_clip(replace(one, person=name)))
    return MovingPeople(basis, parts[0], parts[1], join_short(beside[0]), join_short(beside[1]))


@cache
def told_apart() -> dict[str, str]:
    """Who the news anchors are that share a name in the other splits: by the name of the clip."""
    with RESEARCH_SPLIT.with_name("anchors.csv").open(newline="") as file:
        return {row["path"]: row["subject"] for row in csv.DictReader(file)}


def motion_population(clips: Sequence[MotionClip], motion: Engine) -> MotionPopulation:
    """Say what the companion's embeddings of these clips do in general; raises `MotionError` and `EngineError`."""
    rows, people, names, starts = [], [], [], []
    for number, clip in enumerate(clips):
        first = clip.starts(HOP)
        if len(first):
            windows, masks = zip(*(clip.window(int(at)) for at in first), strict=True)
            rows.append(motion.run({"motion": np.stack(windows), "mask": np.stack(masks)})["embedding"])
            people += [clip.person] * len(first)
            names += [number] * len(first)
            starts += [float(at) / GRID_HZ for at in first]
    size = motion.manifest.outputs[0].shape[0]
    embeddings = np.concatenate([np.zeros((0, size), np.float32), *rows])
    person = np.unique(people, return_inverse=True)[1].astype(np.int64)
    of = np.array(names, np.int64), np.array(starts, np.float64)
    return fit_population(embeddings, person, *of, motion.manifest.sha256)


def persona_clip(row: Row, clip: ClipMotion, basis: ExpressionBasis) -> PersonaClip:
    """Tell a clip in a basis, less its own neutral face; zero where there is none."""
    motion = clip.motion(basis)
    motion = np.where(clip.valid[:, None], motion - neutral_of(motion, clip.valid), 0).astype(np.float32)
    return PersonaClip(row.name, row.subject, motion, clip.voice, clip.valid, clip.speech)


def motion_clip(clip: PersonaClip) -> MotionClip:
    """Give what the companion takes of a clip: no voice, and the head's velocity."""
    return MotionClip(clip.name, clip.person, with_velocity(clip.motion, clip.valid), clip.valid, clip.speech)
