"""How scores bear the seven perturbations: areas at every level, and by how much their mean falls from clean.

After SpeechForensics (section 4.3) and DeeperForensics-1.0: the same clips are scored clean and changed, the area under
the ROC curve is averaged over five levels and over seven kinds. Two tasks are measured: genuine against forged, and,
because that is what synchrony honestly does, windows of 5 s of genuine clips against the same lips with a wrong voice.
Clips that cannot be judged even when clean are left out; those that a change makes unjudgeable are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.metrics import auc
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import Change
from monitor.lab.distortions.perturbations import LEVELS, SEVEN, Perturbation, conditions
from monitor.lab.evaluate.clip_detector import WINDOW_SECONDS, Job
from monitor.lab.evaluate.registry import clip_detector
from monitor.lab.evaluate.voice_mismatch import EncodedClip, mismatches
from monitor.lab.evaluate.worker_pool import Tick, WorkerOptions, encode_jobs, score_clips
from monitor.lab.metrics.intervals import bootstrap_interval, resample
from monitor.lab.metrics.numbers import rounded
from monitor.lab.metrics.summary import Result
from monitor.lab.progress import clip_progress

KINDS = tuple(kind.kind for kind in SEVEN)
# Areas that the paper reports on FaceForensics++: clean, and the mean over five levels of each kind.
PAPER_CLEAN_AUC = 0.976
PAPER_AUC = dict(zip(KINDS, (0.974, 0.967, 0.946, 0.808, 0.974, 0.967, 0.942), strict=True))
BOOTSTRAP_ROUNDS = 300

Parts = Sequence[tuple[Path, Sequence[Row]]]
# Results by condition: (kind, level), and ("", 0) for the clean clips.
Conditions = dict[tuple[str, int], list[Result]]
CLEAN = ("", 0)
CONDITIONS = [(kind, n) for kind in KINDS for n in range(1, LEVELS + 1)]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stress:
    """What is to be done: at most `clips` clips for each task, all of them by default, under which changes."""

    clips: int | None = None
    seed: int = 0
    changes: tuple[Perturbation, ...] = field(default_factory=lambda: tuple(conditions()))

    @property
    def all(self) -> tuple[Perturbation | None, ...]:
        """Every condition, the clean one first."""
        return None, *self.changes


def stress_detectors(
    parts: Parts, clean: Sequence[Result], detectors: Sequence[str], stress: Stress, effort: WorkerOptions
) -> dict[str, Conditions]:
    """Score genuine and forged clips under every condition: by detector. `clean` says which clips can be judged."""
    judged = {result.clip for result in clean if result.score is not None}
    rows = [row for _, part in parts for row in part]
    names = choose_clips([row for row in rows if row.name in judged], stress)
    results_by_detector: dict[str, Conditions] = {name: {} for name in detectors}
    with clip_progress("scoring changed clips", len(names) * len(stress.all)) as tick:
        for packs, part in parts:
            jobs = [Job(row, change) for change in stress.all for row in part if row.name in names]
            results = score_clips(jobs, [clip_detector(name, packs) for name in detectors], effort, tick)
            for (job, name), result in zip(product(jobs, detectors), results, strict=True):
                results_by_detector[name].setdefault(_condition(job.change), []).append(result)
    return results_by_detector


def stress_mismatch(parts: Parts, stress: Stress, effort: WorkerOptions) -> dict[str, Conditions]:
    """Score windows of genuine clips with their own and with wrong voices under every condition: by kind of wrong."""
    genuine = [(packs, [row for row in rows if row.label == "real"]) for packs, rows in parts]
    with clip_progress("finding clips of 5 s", sum(len(rows) for _, rows in genuine)) as tick:
        usable = [row for packs, rows in genuine for row in _long_enough(packs, rows, effort, tick)]
    names = choose_clips(usable, stress)
    results_by_kind: dict[str, Conditions] = {}
    with clip_progress("encoding changed clips", len(names) * len(stress.all)) as tick:
        for packs, rows in genuine:
            chosen_rows = [row for row in rows if row.name in names]
            jobs = [Job(row, change) for change in stress.all for row in chosen_rows]
            with closing(encode_jobs(jobs, packs, effort, tick)) as encoded:
                for change in stress.all:
                    # `zip` asks for a row first, so each condition takes just its own clips.
                    clips = [clip for _, clip in zip(chosen_rows, encoded, strict=False) if clip is not None]
                    for kind, results in mismatches(clips, WINDOW_SECONDS).items():
                        results_by_kind.setdefault(kind, {}).setdefault(_condition(change), []).extend(results)
    return results_by_kind


def choose_clips(rows: Sequence[Row], stress: Stress) -> set[str]:
    """Choose clips by name: half genuine, half forged where there are both, people and methods taking turns.

    What is chosen follows from the seed; of more clips the first ones stay chosen.
    """
    sides = [[r for r in rows if r.label == label] for label in ("real", "fake")]
    turns = [_in_turn(side, stress.seed) for side in sides]
    if stress.clips is None:
        return {row.name for row in rows}
    counts = [min(len(side), stress.clips // 2) for side in sides]
    for n in (0, 1):
        counts[n] = min(len(sides[n]), stress.clips - counts[1 - n])
    return {row.name for turn, count in zip(turns, counts, strict=True) for row in turn[:count]}


def describe(conditions: Conditions, rounds: int = BOOTSTRAP_ROUNDS, seed: int = 0) -> dict[str, Any]:
    """Sum up one task: areas, their means, and the fall of the mean in points with its 95 % interval; JSON values.

    Areas are those of what could be judged; a condition that leaves nothing is `unmeasured` and in no mean. As the hard
    clips are the first to go, `strict` counts every lost pair of a forged and a genuine clip as undecided, one half.
    The intervals draw subjects, each with all its results under all conditions, so that what clean and changed clips
    have in common cancels.
    """
    subjects = sorted({r.subject for results in conditions.values() for r in results})
    scores_by_condition = {where: _by_subject(results, subjects) for where, results in conditions.items()}
    areas = _areas(scores_by_condition, np.arange(len(subjects)))
    redrawn = [_areas(scores_by_condition, picked) for picked in resample(len(subjects), rounds, seed)]
    present = [(kind, n) for kind, n in CONDITIONS if (kind, n) in conditions]
    return {
        "clean": rounded(areas.clean),
        **_fall(areas.clean, areas.judged, [(r.clean, r.judged) for r in redrawn]),
        "strict": _fall(areas.clean, areas.strict, [(r.clean, r.strict) for r in redrawn]),
        "unmeasured": [f"{kind} {n}" for kind, n in present if np.isnan(areas.judged[CONDITIONS.index((kind, n))])],
        "fake": _count(conditions.get(CLEAN, []), "fake"),
        "real": _count(conditions.get(CLEAN, []), "real"),
        "subjects": len(subjects),
        "kinds": {
            kind: {
                "levels": [rounded(value) for value in areas.judged[at : at + LEVELS]],
                "mean": rounded(_mean(areas.judged[at : at + LEVELS])),
                "strict_levels": [rounded(value) for value in areas.strict[at : at + LEVELS]],
                "strict_mean": rounded(_mean(areas.strict[at : at + LEVELS])),
                "scored": [_scored(conditions.get((kind, n), [])) for n in range(1, LEVELS + 1)],
                "paper_mean": PAPER_AUC[kind],
            }
            for at, kind in zip(range(0, len(CONDITIONS), LEVELS), KINDS, strict=True)
        },
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Areas:
    """The clean area, and those at `CONDITIONS` (35,): of what was judged, and with lost pairs as halves."""

    clean: float
    judged: Floats
    strict: Floats


def _areas(
    scores_by_condition: Mapping[tuple[str, int], list[tuple[Floats, Floats]]], picked: NDArray[np.int64]
) -> _Areas:
    clean = _sides(scores_by_condition.get(CLEAN, []), picked)
    pairs = len(clean[0]) * len(clean[1])
    judged, strict = np.full(len(CONDITIONS), np.nan), np.full(len(CONDITIONS), np.nan)
    for at, place in enumerate(CONDITIONS):
        if place in scores_by_condition and pairs:
            fake, real = _sides(scores_by_condition[place], picked)
            share_left = min(len(fake) * len(real) / pairs, 1.0)
            judged[at] = auc(fake, real)
            strict[at] = share_left * judged[at] + (1 - share_left) * 0.5 if share_left else 0.5
    return _Areas(auc(*clean), judged, strict)


def _fall(clean: float, areas: Floats, redrawn: Sequence[tuple[float, Floats]]) -> dict[str, Any]:
    falls = np.array([100 * (clean_area - _mean(values)) for clean_area, values in redrawn], np.float64)
    low, high = bootstrap_interval(falls[np.isfinite(falls)])
    return {
        "mean": rounded(_mean(areas)),
        "fall_points": rounded(100 * (clean - _mean(areas)), 2),
        "fall_low": rounded(low, 2),
        "fall_high": rounded(high, 2),
    }


def _mean(areas: Floats) -> float:
    """Mean over the conditions that left something to judge, nan where none did."""
    finite = areas[np.isfinite(areas)]
    return float(finite.mean()) if len(finite) else float("nan")


def _by_subject(results: Sequence[Result], subjects: Sequence[str]) -> list[tuple[Floats, Floats]]:
    """Forged and genuine scores of each subject."""
    scores: dict[tuple[str, str], list[float]] = {}
    for r in results:
        if r.score is not None:
            scores.setdefault((r.subject, r.label), []).append(r.score)
    return [
        (np.array(scores.get((who, "fake"), []), np.float64), np.array(scores.get((who, "real"), []), np.float64))
        for who in subjects
    ]


def _sides(people: Sequence[tuple[Floats, Floats]], picked: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Forged and genuine scores of the people picked."""
    fake, real = ([people[i][side] for i in picked] if people else [] for side in (0, 1))
    return np.concatenate([np.empty(0), *fake]), np.concatenate([np.empty(0), *real])


def _long_enough(packs: Path, rows: Sequence[Row], effort: WorkerOptions, tick: Tick) -> list[Row]:
    """Keep the clips that have a window of 5 s which can be judged."""
    encoded: list[EncodedClip] = [e for e in encode_jobs(map(Job, rows), packs, effort, tick) if e is not None]
    names = {result.clip for result in mismatches(encoded, WINDOW_SECONDS)["other"]}
    return [row for row in rows if row.name in names]


def _in_turn(rows: Sequence[Row], seed: int) -> list[Row]:
    """Shuffle, then let the groups, which are subjects of the genuine and methods of the forged, take turns."""
    groups: dict[str, list[Row]] = {}
    for n in np.random.default_rng(seed).permutation(len(rows)):
        row = sorted(rows, key=lambda r: r.name)[n]
        groups.setdefault(row.subject if row.label == "real" else row.method, []).append(row)
    ranked = [(place, n, row) for n, group in enumerate(groups.values()) for place, row in enumerate(group)]
    return [row for _, _, row in sorted(ranked, key=lambda entry: entry[:2])]


def _condition(change: Change | None) -> tuple[str, int]:
    return (change.kind, change.level) if isinstance(change, Perturbation) else CLEAN


def _scored(results: Iterable[Result]) -> int:
    return sum(r.score is not None for r in results)


def _count(results: Iterable[Result], label: str) -> int:
    return sum(r.label == label and r.score is not None for r in results)
