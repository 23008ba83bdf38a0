"""`sidewitness engines verify`: an engine against ONNX Runtime, tensor by tensor and score by score, and its speed."""

from __future__ import annotations

import json
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from engines.option import engine_option
from engines.registry import EngineName
from monitor.lab.commands.packs import AsJson, Models, Rows, names_in, plain, show

if TYPE_CHECKING:
    from rich.console import Console

    from engines.base import Engine
    from engines.checks.parity import ScoreDrift
    from monitor.lab.engine_parity import Case

REFERENCE: Final[EngineName] = "onnx"
# Batches whose tensors are compared: one row, a bucket, and one between two buckets.
COMPARED = (1, 2, 5)
NO_CLIPS = "note: only tensors were compared: name a folder of clips with --clips to compare scores and verdicts"
ABSENT = "note: no clip was judged: some packs do not run in this engine"


def command(
    engine: Annotated[EngineName, engine_option("The engine that is held against ONNX Runtime.")] = "openvino",
    clips: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Folder of clips to compare scores by, listed in its parity.csv."),
    ] = None,
    speed: Annotated[bool, typer.Option("--speed", help="Time the engine by batch as well.")] = False,
    models: Models = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Packs that ONNX Runtime runs instead, for models of another precision."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Hold an engine against ONNX Runtime on every model pack.

    Inputs are zeros and seeded noise. A pack passes when its hash is right and no output differs by more than 0.001 of
    its range. With clips the same recordings are judged with either engine, and it is their scores, p-values and
    verdicts that decide; outputs may then differ by up to 0.25 of their range, as those of a lower precision do.

    \b
    Example:
      sidewitness engines verify --engine tensorrt --clips data --speed
    """  # noqa: D301
    from rich.console import Console

    from engines.base import MODELS
    from monitor.lab.engine_parity import read_cases

    folder, err = models or MODELS, Console(stderr=True)
    reference = against or folder
    names = names_in(folder)
    cases = read_cases(clips) if clips else []
    rows, speeds = _packs(names, engine, folder, reference, scored=bool(cases), speed=speed)
    able = all(row["loads"] for row in rows)
    drift = _scores(cases, engine, folder, reference, err) if cases and able else None
    problems = drift.problems() if drift else []
    if as_json:
        _print_json(engine, rows, drift, problems, speeds)
    else:
        _print(engine, rows, drift, problems, speeds)
    if drift is None:
        err.print(ABSENT if cases else NO_CLIPS, markup=False, highlight=False, soft_wrap=True)
    return 0 if all(row["ok"] for row in rows) and not problems else 1


def _packs(
    names: list[str], engine: EngineName, folder: Path, against: Path, scored: bool, speed: bool
) -> tuple[Rows, Rows]:
    rows, speeds = [], list[dict[str, Any]]()
    for name in names:
        row, built = _compare(name, engine, folder, against, scored)
        rows.append(row)
        speeds += _speeds(built) if speed and built is not None else []
    return rows, speeds


def _compare(
    name: str, engine: EngineName, folder: Path, against: Path, scored: bool
) -> tuple[dict[str, Any], Engine | None]:
    """Compare the tensors of one pack; the engine comes back where it runs the pack."""
    from engines.base import EngineError, zeros
    from engines.checks.parity import COARSE, TOLERANCE, differences, seeded
    from engines.load import load_engine

    row = {"name": name, "ok": False, "loads": False, "largest difference": None, "detail": ""}
    try:
        # With `wait` nothing stands in for an engine that is still being built.
        reference, other = load_engine(name, REFERENCE, against), load_engine(name, engine, folder, wait=True)
        inputs = (zeros(reference.manifest), *(seeded(reference.manifest, batch) for batch in COMPARED))
        found = max(max(differences(reference, other, batch).values()) for batch in inputs)
    except EngineError as error:
        return {**row, "detail": str(error)}, None
    limit, only = COARSE if scored else TOLERANCE, reference.manifest.preprocessing.get("engine", engine)
    detail = "the same" if only == engine else f"runs in {only} whatever is asked for"
    if not found <= COARSE:
        detail = f"differs by more than {COARSE:g}: use the engine {REFERENCE} and report it"
    elif found > TOLERANCE:
        detail = f"differs by more than {TOLERANCE:g}: " + ("the scores decide" if scored else "only clips can tell")
    return {**row, "ok": found <= limit, "loads": True, "largest difference": found, "detail": detail}, other


def _speeds(engine: Engine) -> list[dict[str, Any]]:
    from engines.checks.throughput import measure

    return [
        {
            "name": engine.manifest.name,
            "batch": row.batch,
            "p50 ms": round(row.p50_ms, 3),
            "p95 ms": round(row.p95_ms, 3),
            "items a second": round(row.items_per_second, 1),
        }
        for row in measure(engine)
    ]


def _scores(cases: list[Case], engine: EngineName, folder: Path, against: Path, err: Console) -> ScoreDrift:
    from rich.progress import Progress

    from engines.checks.parity import score_drift
    from engines.load import load_engine
    from monitor.lab.engine_parity import judge_cases, references
    from monitor.session.models import load_models

    people = {case.reference for case in cases if case.reference is not None}
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("judging clips with both engines", total=len(people) + 2 * len(cases))
        done = partial(progress.advance, task)
        models = load_models(REFERENCE, against)
        enrolled = references(cases, models, done)
        reference_scores = judge_cases(cases, models, enrolled, done)
        models = load_models(engine, folder, load=partial(load_engine, wait=True))
        return score_drift(reference_scores, judge_cases(cases, models, enrolled, done))


def _print(engine: EngineName, rows: Rows, drift: ScoreDrift | None, problems: list[str], speeds: Rows) -> None:
    show(f"{engine} against {REFERENCE}: outputs", ("name", "ok", "largest difference", "detail"), rows)
    if drift:
        typer.echo()
        show(f"{engine} against {REFERENCE}: {drift.cases} clips", _DRIFT, _drift_rows(drift))
        typer.echo("\n".join(problems or [*drift.turns, "every score is within the limits"]))
    if speeds:
        typer.echo()
        show(f"{engine}: one caller", ("name", "batch", "p50 ms", "p95 ms", "items a second"), speeds)


_DRIFT = ("detector", "cases", "forged", "AUC", f"AUC {REFERENCE}", "largest shift", "mean shift", "p moved by")


def _drift_rows(drift: ScoreDrift) -> list[dict[str, Any]]:
    return [
        {
            "detector": row.detector,
            "cases": row.scored,
            "forged": row.forged,
            "AUC": _number(row.auc_other),
            f"AUC {REFERENCE}": _number(row.auc),
            "largest shift": row.shift,
            "mean shift": row.mean_shift,
            "p moved by": row.p_change,
        }
        for row in drift.detectors
    ]


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def _print_json(engine: EngineName, rows: Rows, drift: ScoreDrift | None, problems: list[str], speeds: Rows) -> None:
    scores = None
    if drift:
        detectors = plain([{key.lower(): value for key, value in row.items()} for row in _drift_rows(drift)])
        summary = {"ok": not problems, "cases": drift.cases, "detectors": detectors}
        scores = {**summary, "verdicts": drift.turns, "problems": problems}
    typer.echo(json.dumps({"engine": engine, "packs": plain(rows), "scores": scores, "speed": plain(speeds)}))
