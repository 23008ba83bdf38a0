"""`sidewitness evaluate DATA --cadence`: what fewer landmarks do to scores, on your own clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from engines.registry import EngineName
from monitor.lab.commands.packs import show

if TYPE_CHECKING:
    from engines.checks.parity import ScoreDrift
    from monitor.lab.evaluate.landmark_cadence import CadenceReport
    from monitor.lab.evaluate.run import ClipSet
    from monitor.lab.evaluate.still_cadence import Stillness

ENGINE: EngineName = "openvino"
AREAS = ("window s", "wrong voice", "AUC every", "AUC calm", "change", "95 %", "windows", "people")
OWN = ("window s", "windows", "scored by one alone", "moved", "p moved", "p moved, p95", "p <= .05 every", "calm")
STILLS = ("shown", "clips", "people", "still every", "calm", "form varies every", "calm form")
SESSIONS = ("detector", "cases", "forged", "AUC every", "AUC calm", "largest shift", "mean shift", "p moved by")


def run(parts: Sequence[ClipSet], data: Path, out: Path, as_json: bool) -> int:
    """Compare both ways over the genuine clips of each part, print it, and write cadence.json in `out`.

    Where the folder of `data` has a parity.csv, or is the research collection, whole sessions are compared too, by
    every detector.
    """
    from monitor.lab.evaluate.landmark_cadence import compare
    from monitor.lab.evaluate.still_cadence import chosen, compare_stills
    from monitor.lab.progress import clip_progress

    reports, stills = [], []
    for part in parts:
        rows = [row for row in part.rows if row.label == "real"]
        with clip_progress("following clips twice", len(rows)) as tick:
            reports.append(compare(rows, part.packs, tick=tick))
        with clip_progress("following stills twice", len(chosen(rows))) as tick:
            stills.append(compare_stills(rows, tick=tick))
    drift = _sessions(data if data.is_dir() else data.parent)
    summary: dict[str, Any] = {
        "parts": [report.as_json() for report in reports],
        "stills": [[asdict(kind) for kind in part] for part in stills],
        "sessions": None if drift is None else asdict(drift),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "cadence.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(summary))
        return 0
    for report, kinds in zip(reports, stills, strict=True):
        _print(report)
        _print_stills(kinds)
    if drift is not None:
        _print_sessions(drift)
    return 0


def _sessions(clips: Path) -> ScoreDrift | None:
    """Judge the listed cases in full, and as sessions do, which ask some by turns; None where none are listed."""
    from engines.checks.parity import score_drift
    from monitor.face.cadence import CALM, EVERY
    from monitor.lab.corpus.manifest import CorpusError
    from monitor.lab.engine_parity import judge_cases, read_cases, references
    from monitor.session.models import load_models
    from monitor.session.session import SessionConfig

    try:
        cases = read_cases(clips)
    except CorpusError as error:
        typer.echo(f"note: whole sessions were not compared: {error}", err=True)
        return None
    models = load_models(ENGINE)
    enrolled = references(cases, models)
    configs = SessionConfig(cadence=EVERY, by_turns=False), SessionConfig(cadence=CALM)
    every, calm = (judge_cases(cases, models, enrolled, config=config) for config in configs)
    return score_drift(every, calm)


def _print(report: CadenceReport) -> None:
    title = f"{report.clips} clips of {report.people} people, {report.seconds:g} s: {report.share:.0%} of the landmarks"
    areas = [
        (r.seconds, r.kind, r.every, r.calm, r.change, _interval(r.change_low, r.change_high), r.windows, r.people)
        for r in report.separations
    ]
    own = [
        (r.seconds, r.windows, r.only_one, r.moved, r.p_moved, r.p_moved_p95, r.unusual_every, r.unusual_calm)
        for r in report.own
    ]
    show(title, AREAS, [dict(zip(AREAS, row, strict=True)) for row in areas])
    typer.echo()
    show("the same windows with their own voice", OWN, [dict(zip(OWN, row, strict=True)) for row in own])


def _print_stills(kinds: Sequence[Stillness]) -> None:
    rows = [(k.kind, k.clips, k.people, k.still_every, k.still_calm, k.form_every, k.form_calm) for k in kinds]
    typer.echo()
    show("taken for still", STILLS, [dict(zip(STILLS, row, strict=True)) for row in rows])


def _interval(low: float, high: float) -> str:
    return f"{low:+.4f} to {high:+.4f}"


def _print_sessions(drift: ScoreDrift) -> None:
    rows = [
        (d.detector, d.scored, d.forged, d.auc, d.auc_other, d.shift, d.mean_shift, d.p_change) for d in drift.detectors
    ]
    typer.echo()
    show(f"whole sessions of {drift.cases} clips", SESSIONS, [dict(zip(SESSIONS, row, strict=True)) for row in rows])
    typer.echo("\n".join(drift.turns or ["no verdict changes"]))
