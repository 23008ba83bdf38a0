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
SHARED_SUBJECTS = frozenset({"anchors"})
MIN_STEPS = 20
# Steps between two windows of a recording that say what embeddings of movement do in general.
HOP_STEPS = 25
Tick = Callable[[str | None], None]
AnalysedClip = tuple[Row, ClipMotion]


@dataclass(frozen=True, slots=True, eq=False)
class MovingPeople:
    """Clips for both models, in a basis that was learnt from those to train on."""

    basis: ExpressionBasis
    training: list[PersonaClip]
    held_out: list[PersonaClip]
    companion: list[MotionClip]
    companion_held_out: list[MotionClip]


def moving_rows(data: Path, split: Path | None, hold_out: str, max_clips: int = 0) -> list[Row]:
    """Genuine clips of a manifest or a folder, in the folds of a split.

    With `max_clips` at most so many of them, two of each person before more. Raises `CorpusError`.
    """
    shipped = {name: RESEARCH_SPLIT.with_name(f"{name}.csv") for name in SPLITS}
    rows = training_rows([data], shipped.get(str(split), split) if split else None, [hold_out])
    if max_clips and len(rows) > max_clips:
        clips_seen: Counter[str] = Counter()
        turns = []
        for row in rows:
            turns.append(clips_seen[row.subject] // 2)
            clips_seen[row.subject] += 1
        chosen = sorted(range(len(rows)), key=lambda n: turns[n])[:max_clips]
        rows = [rows[n] for n in sorted(chosen)]
    return rows


def read_motions(rows: Sequence[Row], cache: Path, packs: Path, tick: Tick) -> list[AnalysedClip]:
    """Load the motion of every clip that shows one speaking face; `tick` gets a line for each that cannot be used.

    Raises `CorpusError` when nothing is left.
    """
    found: list[AnalysedClip] = []
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
    if np.count_nonzero(clip.valid) < MIN_STEPS or not (clip.valid & clip.speech).any():
        return f"{row.path.name}: too little of one speaking face"
    return None


def moving_people(
    found: Sequence[AnalysedClip], hold_out: str, components: int, several: Collection[str], basis_file: Path
) -> MovingPeople:
    """Make clips for both models; the basis is that of the file `basis_file`, or learnt from the clips to train on.

    Clips of a subject in `several` are of people who cannot be told apart: such teach the first model no tokens, and
    the second nothing but those that `anchors.csv` tells apart. Clips that are too short for the second are joined.
    Raises `CorpusError` without clips to train on, `TrainingError` where they make no basis.
    """
    training_clips = [(row.subject, clip) for row, clip in found if row.fold != hold_out]
    if not training_clips:
        raise CorpusError(f"every clip is in the fold {hold_out!r}: hold out another one")
    if basis_file.exists():
        basis = ExpressionBasis.from_bytes(basis_file.read_bytes())
    else:
        basis = learn_basis(training_clips, components)
        basis_file.write_bytes(basis.to_bytes())
    parts: tuple[list[PersonaClip], list[PersonaClip]] = ([], [])
    companion: tuple[list[MotionClip], list[MotionClip]] = ([], [])
    names = anchor_names()
    for row, clip in found:
        side = int(row.fold == hold_out)
        one = persona_clip(row, clip, basis)
        single_person = row.subject not in several
        parts[side].append(one if single_person else replace(one, person=NOBODY))
        if name := row.subject if single_person else names.get(row.name):
            companion[side].append(motion_clip(replace(one, person=name)))
    return MovingPeople(basis, parts[0], parts[1], join_short(companion[0]), join_short(companion[1]))


@cache
def anchor_names() -> dict[str, str]:
    """Who the news anchors are that share a name in the other splits: by the name of the clip."""
    with RESEARCH_SPLIT.with_name("anchors.csv").open(newline="") as file:
        return {row["path"]: row["subject"] for row in csv.DictReader(file)}


def motion_population(clips: Sequence[MotionClip], motion: Engine) -> MotionPopulation:
    """Say what the companion's embeddings of these clips do in general; raises `MotionError` and `EngineError`."""
    rows, people, names, starts = [], [], [], []
    for number, clip in enumerate(clips):
        first = clip.starts(HOP_STEPS)
        if len(first):
            windows, masks = zip(*(clip.window(int(at)) for at in first), strict=True)
            rows.append(motion.run({"motion": np.stack(windows), "mask": np.stack(masks)})["embedding"])
            people += [clip.person] * len(first)
            names += [number] * len(first)
            starts += [float(at) / GRID_HZ for at in first]
    size = motion.manifest.outputs[0].shape[0]
    embeddings = np.concatenate([np.zeros((0, size), np.float32), *rows])
    person = np.unique(people, return_inverse=True)[1].astype(np.int64)
    clip_and_start = np.array(names, np.int64), np.array(starts, np.float64)
    return fit_population(embeddings, person, *clip_and_start, motion.manifest.sha256)


def persona_clip(row: Row, clip: ClipMotion, basis: ExpressionBasis) -> PersonaClip:
    """Express a clip in a basis, relative to its own neutral face; zero where there is no face."""
    motion = clip.motion(basis)
    motion = np.where(clip.valid[:, None], motion - neutral_of(motion, clip.valid), 0).astype(np.float32)
    return PersonaClip(row.name, row.subject, motion, clip.voice, clip.valid, clip.speech)


def motion_clip(clip: PersonaClip) -> MotionClip:
    """Return what the companion takes of a clip: no voice, and the head's velocity."""
    return MotionClip(clip.name, clip.person, with_velocity(clip.motion, clip.valid), clip.valid, clip.speech)
