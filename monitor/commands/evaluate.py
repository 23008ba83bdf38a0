"""`sidewitness evaluate`: how well the detectors tell forged from genuine, on your own clips."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from monitor.corpus import Row
    from monitor.evaluation import Result
    from monitor.mismatch import Encoded

WINDOWS = (2.0, 3.0, 5.0)


def command(
    manifest: Annotated[Path, typer.Argument(help="CSV with the columns path,label(real|fake),method,subject.")],
    out: Annotated[Path, typer.Option(help="Where results.csv, summary.json and the pictures go.")],
    detector: Annotated[list[str] | None, typer.Option(help="Only these detectors.")] = None,
    split: Annotated[
        Path | None, typer.Option(help="CSV with path,subject,group,fold; `research` names the shipped one.")
    ] = None,
    fold: Annotated[
        list[str] | None, typer.Option("--fold", help="With --split: of the genuine clips only those of this fold.")
    ] = None,
    packs: Annotated[
        list[Path] | None,
        typer.Option("--packs", help="Folder with speech_lips and speech_voice; once for each --fold, in its order."),
    ] = None,
    mismatch: Annotated[
        bool, typer.Option("--mismatch", help="Genuine clips against the wrong voice, by window length.")
    ] = False,
    cache: Annotated[Path, typer.Option(help="Where analysed clips are kept.")] = Path(".cache/features"),
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json.")] = False,
) -> int:
    """Score every clip of a manifest: AUC with its 95 % interval (bootstrap over subjects), EER and abstentions.

    Example: sidewitness evaluate clips.csv --out runs/evaluate --mismatch
    """
    from engines.base import MODELS
    from monitor.corpus import read_manifest

    unknown = set(detector or []) - {"synchrony"}
    if unknown:
        raise typer.BadParameter(
            f"unknown detector {sorted(unknown)[0]!r}: there is synchrony", param_hint="--detector"
        )
    folds, folders = fold or [], packs or [MODELS]
    if folds and split is None:
        raise typer.BadParameter("--fold needs --split", param_hint="--fold")
    if len(folders) != max(len(folds), 1):
        raise typer.BadParameter("give one --packs for each --fold", param_hint="--packs")
    parts = _parts(read_manifest(manifest), split, folds, folders)
    out.mkdir(parents=True, exist_ok=True)
    summary = _evaluate(parts, out, mismatch, cache)
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    typer.echo(json.dumps(summary)) if as_json else _print(summary)
    return 0


def _parts(rows: list[Row], split: Path | None, folds: list[str], folders: list[Path]) -> list[tuple[Path, list[Row]]]:
    """Say which clips each set of packs scores: its fold's genuine clips; the forged ones go to the first."""
    from monitor.corpus import apply_split

    if split is None:
        return [(folders[0], rows)]
    known = apply_split(rows, split)
    chosen = [row for row in known if row.label == "real"]
    genuine = [[r for r in chosen if r.fold == fold] for fold in folds] or [chosen]
    forged = [row for row in rows if row.label == "fake"]
    return [
        (folder, [*part, *(forged if n == 0 else [])])
        for n, (folder, part) in enumerate(zip(folders, genuine, strict=True))
    ]


def _evaluate(parts: list[tuple[Path, list[Row]]], out: Path, mismatch: bool, cache: Path) -> dict[str, Any]:
    from monitor.evaluation import by_method, summarise
    from monitor.mismatch import mismatches
    from monitor.pictures import draw

    results: list[Result] = []
    # Vectors of different packs cannot be compared: every part keeps to its own.
    encoded: list[list[Encoded]] = []
    for folder, rows in parts:
        scored, vectors = _score(rows, folder, cache)
        results += scored
        encoded.append(vectors)
    _write(results, out / "results.csv")
    summary: dict[str, Any] = {"synchrony": {**summarise(results), "methods": by_method(results)}}
    sets: dict[str, Sequence[Result]] = {"synchrony": results}
    if mismatch:
        summary["mismatch"] = {}
        for seconds in WINDOWS:
            found = [mismatches(part, seconds) for part in encoded]
            for kind in ("other", "shift"):
                pooled = [result for part in found for result in part[kind]]
                summary["mismatch"][f"{kind} {seconds:g} s"] = summarise(pooled)
                sets[f"{kind} voice, {seconds:g} s"] = pooled
    draw(sets, out)
    return summary


def _write(results: Sequence[Result], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "method", "subject", "detector", "score", "reason"])
        for r in results:
            score = "" if r.score is None else f"{r.score:.6f}"
            writer.writerow([r.clip, r.label, r.method, r.subject, "synchrony", score, r.reason or ""])


def _score(rows: Sequence[Row], folder: Path, cache: Path) -> tuple[list[Result], list[Encoded]]:
    from rich.console import Console
    from rich.progress import Progress

    from engines.load import load_engine
    from monitor.background import encode_features, windows
    from monitor.corpus import load_features, workers_here
    from monitor.evaluation import Result
    from monitor.mismatch import Encoded
    from monitor.models import LIPS, VOICE, load_calibration
    from monitor.scan import clip_value
    from monitor.types import Reason

    lips, voice = load_engine(LIPS, models=folder), load_engine(VOICE, models=folder)
    lengths = load_calibration().lengths
    results: list[Result] = []
    encoded: list[Encoded] = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("scoring clips", total=len(rows))
        for row, features in load_features(rows, cache, workers_here(), lambda n: progress.update(task, completed=n)):
            score, reason = None, None
            if isinstance(features, str):
                progress.console.print(f"note: {features}", markup=False)
                reason = "unreadable"
            elif features.faces > 1:
                reason = Reason.SEVERAL_FACES.value
            elif len(features) == 0 or not features.face.any():
                reason = Reason.NO_FACE.value
            else:
                vectors = encode_features(features, lips, voice)
                found = list(windows(vectors, 5.0))
                score = clip_value(found, lengths)[0] if found else None
                reason = None if found else (Reason.SILENCE if features.speech.sum() < 50 else Reason.LOW_QUALITY).value
                if row.label == "real":
                    encoded.append(Encoded(row.name, row.subject, *vectors))
            results.append(Result(row.name, row.label, row.method, row.subject, score, reason))
    return results, encoded


def _print(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    # Into a file or a pipe there is no width to fit.
    console.width = console.width if console.is_terminal else 140
    table = Table("what", "AUC", "95 % interval", "EER", "forged", "genuine", "subjects", "abstained")
    named = [("synchrony", summary["synchrony"])]
    named += [(f"  {method}", row) for method, row in summary["synchrony"]["methods"].items()]
    named += [(f"mismatch: {name}", row) for name, row in summary.get("mismatch", {}).items()]
    for name, row in named:
        cells = [_cell(row["auc"]), f"{_cell(row['auc_low'])}-{_cell(row['auc_high'])}", _cell(row["eer"])]
        table.add_row(escape(name), *cells, *(str(row[key]) for key in ("fake", "real", "subjects", "abstained")))
    console.print(table)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
