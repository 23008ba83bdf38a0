"""`evaluate`, without the command line: clips in, results.csv, summary.json and pictures out."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.base import MODELS
from monitor.lab.corpus.datasets import LAYOUTS
from monitor.lab.corpus.datasets.paper_results import compare, markdown
from monitor.lab.corpus.manifest import Row, apply_split
from monitor.lab.corpus.stitched_calls import calls_of
from monitor.lab.evaluate.call_replay import run_calls, settings_of
from monitor.lab.evaluate.call_summary import summarise_calls
from monitor.lab.evaluate.clip_detector import WINDOW_SECONDS, ClipDetector, Job
from monitor.lab.evaluate.plots import draw, draw_live, draw_methods, draw_mismatch, draw_robustness, draw_subjects
from monitor.lab.evaluate.registry import clip_detector
from monitor.lab.evaluate.robustness import Parts, Stress, stress_detectors, stress_mismatch
from monitor.lab.evaluate.robustness import describe as describe_robustness
from monitor.lab.evaluate.voice_mismatch import KINDS, by_sound, judged_share, mismatches
from monitor.lab.evaluate.worker_pool import WorkerOptions, encode_clips, score_clips
from monitor.lab.metrics.summary import Result, by_method, by_subject, of_interest, summarise, worst_method
from monitor.lab.progress import clip_progress

MISMATCH_WINDOWS_SECONDS = (2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips that are scored by one set of packs: vectors and scores of different packs do not mix."""

    packs: Path
    rows: tuple[Row, ...]

    def detectors(self, names: Sequence[str]) -> tuple[ClipDetector, ...]:
        """Return the detectors of these names, with this part's packs."""
        return tuple(clip_detector(name, self.packs) for name in names)


@dataclass(frozen=True, slots=True)
class ExtraRuns:
    """What is asked for; `mismatch` adds wrong voices to either."""

    stress: Stress | None = None
    live_minutes: float | None = None
    mismatch: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What is evaluated, by which detectors, and where it all goes; `dataset` names the published data set, if any."""

    parts: tuple[ClipSet, ...]
    detectors: tuple[str, ...]
    out: Path
    effort: WorkerOptions
    mismatch: bool = False
    dataset: str | None = None
    trials: ExtraRuns = field(default_factory=ExtraRuns)


def divide(
    rows: Sequence[Row], split: Path | None, folds: Sequence[str], folders: Sequence[Path]
) -> tuple[ClipSet, ...]:
    """Say which clips each set of packs scores: its fold's genuine clips; the forged ones go to the first.

    With a split, only the genuine clips that it names are used. Raises `CorpusError`.
    """
    packs = folders or [MODELS]
    if split is None:
        return (ClipSet(packs[0], tuple(rows)),)
    chosen = [row for row in apply_split(rows, split) if row.label == "real"]
    genuine = [[r for r in chosen if r.fold == fold] for fold in folds] or [chosen]
    forged = [row for row in rows if row.label == "fake"]
    return tuple(
        ClipSet(folder, (*part, *(forged if n == 0 else [])))
        for n, (folder, part) in enumerate(zip(packs, genuine, strict=True))
    )


def assess(plan: EvaluationPlan) -> dict[str, Any]:
    """Score everything, write the files and give what summary.json holds."""
    plan.out.mkdir(parents=True, exist_ok=True)
    results = _scored(plan)
    write_results(results, plan.out / "results.csv")
    summary: dict[str, Any] = {"dataset": plan.dataset} if plan.dataset else {}
    sets = {name: [r for r in results if r.detector == name] for name in plan.detectors}
    for name, detector_results in sets.items():
        summary[name] = describe(detector_results)
        if claimed := claims([row for part in plan.parts for row in part.rows]):
            summary[name]["of_interest"] = of_interest(detector_results, claimed)
    draw(sets, plan.out)
    draw_methods({name: summary[name] for name in sets}, plan.out)
    draw_subjects(sets, plan.out)
    if plan.dataset and (beside := compare(plan.dataset, {name: summary[name] for name in sets})):
        summary["published"] = beside
        (plan.out / "published.md").write_text(markdown(beside, LAYOUTS))
    if plan.mismatch:
        summary["mismatch"], panels, summary["judged"] = _mismatch(plan)
        draw_mismatch(panels, plan.out)
    _save(summary, plan.out)
    parts = [(part.packs, part.rows) for part in plan.parts]
    summary |= run_extras(plan.trials, parts, results, plan.detectors, plan.effort, plan.out)
    _save(summary, plan.out)
    return summary


def claims(rows: Sequence[Row]) -> dict[str, str]:
    """Name the person whom each clip with references claims to show: whose those clips are."""
    subjects = {row.path: row.subject for row in rows if row.label == "real"}
    return {row.name: subjects.get(row.reference[0], row.subject) for row in rows if row.reference}


def _save(summary: dict[str, Any], out: Path) -> None:
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def _scored(plan: EvaluationPlan) -> list[Result]:
    results: list[Result] = []
    with clip_progress("scoring clips", sum(len(part.rows) for part in plan.parts)) as tick:
        for part in plan.parts:
            jobs = [Job(row) for row in part.rows]
            results += score_clips(jobs, part.detectors(plan.detectors), plan.effort, tick)
    return results


def describe(results: Sequence[Result]) -> dict[str, Any]:
    """Describe one detector, as summary.json does: all clips, each method, the worst of them, each subject."""
    methods = by_method(results)
    return {
        **summarise(results),
        "worst": worst_method(methods),
        "trimmed_seconds": round(sum(r.trimmed for r in results), 2),
        "methods": methods,
        "by_subject": by_subject(results),
    }


def _mismatch(
    plan: EvaluationPlan,
) -> tuple[dict[str, Any], dict[str, dict[str, list[Result]]], dict[str, float]]:
    """Genuine lips against wrong voices, by window length; each part keeps to its own vectors.

    With it comes what the second condition for speech costs: the same by sound alone, and the share that is judged.
    """
    genuine = [(part.packs, [row for row in part.rows if row.label == "real"]) for part in plan.parts]
    with clip_progress("encoding genuine clips", sum(len(rows) for _, rows in genuine)) as tick:
        encoded = [encode_clips(rows, packs, plan.effort, tick) for packs, rows in genuine]
    summary: dict[str, Any] = {}
    alone = [mismatches(by_sound(part), WINDOW_SECONDS) for part in encoded]
    for kind in KINDS:
        by_sound_alone = [result for part in alone for result in part[kind]]
        summary[f"{kind} {WINDOW_SECONDS:g} s, by sound alone"] = summarise(by_sound_alone)
    panels: dict[str, dict[str, list[Result]]] = {}
    for seconds in MISMATCH_WINDOWS_SECONDS:
        by_kind = [mismatches(part, seconds) for part in encoded]
        for kind in KINDS:
            pooled = [result for part in by_kind for result in part[kind]]
            summary[f"{kind} {seconds:g} s"] = summarise(pooled)
            panels.setdefault(f"windows of {seconds:g} s", {})[kind] = pooled
    return summary, panels, judged_share([clip for part in encoded for clip in part], WINDOW_SECONDS)


def write_results(results: Sequence[Result], path: Path) -> None:
    """Write a row for each clip and detector; a score of None is an empty cell beside its reason."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["path", "label", "method", "subject", "detector", "score", "p_value", "reason", "seconds", "trimmed"]
        )
        for r in results:
            numbers = (_cell(r.score, 6), _cell(r.p_value, 6), r.reason or "", f"{r.seconds:.2f}", f"{r.trimmed:.2f}")
            writer.writerow([r.clip, r.label, r.method, r.subject, r.detector, *numbers])


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def run_extras(
    trials: ExtraRuns, parts: Parts, clean: Sequence[Result], detectors: Sequence[str], effort: WorkerOptions, out: Path
) -> dict[str, Any]:
    """Do what is asked for; write robustness.png, live.png and live.jsonl to `out`; give their parts of summary.json.

    `clean` are the results of the clips as they are. Raises `EngineError`.
    """
    summary: dict[str, Any] = {}
    if trials.live_minutes is not None:
        # Told now what would stop the last of the work.
        for packs, _ in parts:
            settings_of(packs)
    if trials.stress is not None:
        summary["robustness"] = _robustness(trials.stress, parts, clean, detectors, trials.mismatch, effort)
        draw_robustness(summary["robustness"], out)
    if trials.live_minutes is not None:
        summary["live"] = _live(trials.live_minutes, parts, trials.mismatch, effort, out)
    return summary


def _robustness(
    stress: Stress,
    parts: Parts,
    clean: Sequence[Result],
    detectors: Sequence[str],
    mismatch: bool,
    effort: WorkerOptions,
) -> dict[str, Any]:
    both = {"real", "fake"} <= {result.label for result in clean if result.score is not None}
    tasks = stress_detectors(parts, clean, detectors, stress, effort) if both else {}
    if mismatch:
        voices = stress_mismatch(parts, stress, effort)
        tasks |= {f"{kind}, {WINDOW_SECONDS:g} s": conditions for kind, conditions in voices.items()}
    return {name: describe_robustness(conditions) for name, conditions in tasks.items()}


def _live(minutes: float, parts: Parts, dubs: bool, effort: WorkerOptions, out: Path) -> dict[str, Any]:
    calls = [(packs, calls_of(rows, 60.0 * minutes, dubs)) for packs, rows in parts]
    with clip_progress("replaying calls", sum(len(part_calls) for _, part_calls in calls)) as tick:
        outcomes = run_calls(calls, out / "live.jsonl", effort.workers, tick)
    draw_live(outcomes, out)
    return summarise_calls(outcomes)
