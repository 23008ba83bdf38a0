"""What `evaluate` does on request besides scoring: clips changed by seven perturbations, and calls replayed live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.lab.corpus.stitched_calls import calls_of
from monitor.lab.evaluate.call_replay import run_calls, settings_of
from monitor.lab.evaluate.call_summary import summarise_calls
from monitor.lab.evaluate.plots_extra import draw_live, draw_robustness
from monitor.lab.evaluate.robustness import WINDOW, Parts, Stress, describe, stress_detectors, stress_mismatch
from monitor.lab.evaluate.worker_pool import Effort
from monitor.lab.metrics.summary import Result
from monitor.lab.progress import clip_progress


@dataclass(frozen=True, slots=True)
class Trials:
    """What is asked for; `mismatch` adds wrong voices to either."""

    stress: Stress | None = None
    live_minutes: float | None = None
    mismatch: bool = False


def run_trials(
    trials: Trials, parts: Parts, clean: Sequence[Result], detectors: Sequence[str], effort: Effort, out: Path
) -> dict[str, Any]:
    """Do what is asked for; write robustness.png, live.png and live.jsonl to `out`; give their parts of summary.json.

    `clean` are the results of the clips as they are. Raises `EngineError`.
    """
    told: dict[str, Any] = {}
    if trials.live_minutes is not None:
        # Told now what would stop the last of the work.
        for packs, _ in parts:
            settings_of(packs)
    if trials.stress is not None:
        told["robustness"] = _robustness(trials.stress, parts, clean, detectors, trials.mismatch, effort)
        draw_robustness(told["robustness"], out)
    if trials.live_minutes is not None:
        told["live"] = _live(trials.live_minutes, parts, trials.mismatch, effort, out)
    return told


def _robustness(
    stress: Stress, parts: Parts, clean: Sequence[Result], detectors: Sequence[str], mismatch: bool, effort: Effort
) -> dict[str, Any]:
    both = {"real", "fake"} <= {result.label for result in clean if result.score is not None}
    found = stress_detectors(parts, clean, detectors, stress, effort) if both else {}
    if mismatch:
        voices = stress_mismatch(parts, stress, effort)
        found |= {f"{kind}, {WINDOW:g} s": conditions for kind, conditions in voices.items()}
    return {name: describe(conditions) for name, conditions in found.items()}


def _live(minutes: float, parts: Parts, dubs: bool, effort: Effort, out: Path) -> dict[str, Any]:
    calls = [(packs, calls_of(rows, 60.0 * minutes, dubs)) for packs, rows in parts]
    with clip_progress("replaying calls", sum(len(made) for _, made in calls)) as tick:
        outcomes = run_calls(calls, out / "live.jsonl", effort.workers, tick)
    draw_live(outcomes, out)
    return summarise_calls(outcomes)
