"""`sidewitness evaluate`: how well the detectors separate forged from genuine, on your own clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require
from monitor.lab.commands.evaluate_cadence import run as run_cadence
from monitor.lab.commands.labels import run as precision_of_labels
from monitor.lab.commands.suite import SuiteOptions
from monitor.lab.commands.suite import run as run_suite

if TYPE_CHECKING:
    from monitor.lab.evaluate.run import ClipSet, EvaluationPlan

# What is evaluated where no detector is named.
USUAL = ("synchrony",)

Out = Annotated[Path, typer.Option(help="Where results.csv, summary.json and the pictures go.")]
Data = Annotated[
    Path | None,
    typer.Argument(help="CSV with the columns path,label(real|fake),method,subject; or a data set's folder."),
]
Detectors = Annotated[list[str] | None, typer.Option("--detector", help="Only these detectors.")]
Dataset = Annotated[str | None, typer.Option(help="Which published data set the folder is, if not to guess.")]
Subset = Annotated[
    str | None, typer.Option(help="Of a data set: train, val, test or all; by default its official test set.")
]
Compression = Annotated[str | None, typer.Option(help="Of FaceForensics++: c23, raw or c40.")]
Split = Annotated[Path | None, typer.Option(help="CSV with path,subject,group,fold; `research` names the shipped one.")]
Folds = Annotated[
    list[str] | None, typer.Option("--fold", help="With --split: of the genuine clips only those of this fold.")
]
Packs = Annotated[
    list[Path] | None,
    typer.Option("--packs", help="Folder with speech_lips and speech_voice; once for each --fold, in its order."),
]
Mismatch = Annotated[bool, typer.Option("--mismatch", help="Genuine clips against the wrong voice, by window length.")]
Perturb = Annotated[
    bool, typer.Option("--perturb", help="Again under seven perturbations at five levels; --mismatch adds voices.")
]
PerturbClips = Annotated[
    int | None, typer.Option(help="With --perturb: at most so many clips, people and methods in turn.", min=2)
]
Live = Annotated[bool, typer.Option("--live", help="Replay calls strung from the clips; --mismatch adds dubs.")]
LiveMinutes = Annotated[float, typer.Option(help="With --live: length of each call.", min=0.1)]
Pairs = Annotated[
    Path | None,
    typer.Option(
        help="Instead of clips: CSV of photos with path,subject; same person or not, by the identity encoder."
    ),
]
PairsSource = Annotated[str, typer.Option(help="With --pairs: only photos whose column source begins with this.")]
Matched = Annotated[
    bool,
    typer.Option(
        "--matched",
        help="Faces of forged clips against the same person's genuine ones; --split matched is shipped.",
    ),
]
Cadence = Annotated[
    bool,
    typer.Option("--cadence", help="Fewer landmarks against landmarks in every picture, by scores."),
]
Suite = Annotated[
    bool,
    typer.Option(
        "--suite", help="Everything that docs/results.md states; DATA is a folder of clips.csv, second.csv, photos.csv."
    ),
]
SuiteParts = Annotated[list[str] | None, typer.Option("--part", help="With --suite: only these parts.")]
Limit = Annotated[int | None, typer.Option(help="With --suite: a trial on at most so many clips of each group.", min=1)]
Write = Annotated[
    Path | None, typer.Option(help="With --suite: the document whose tables are written anew, docs/results.md.")
]
Labels = Annotated[
    Path | None,
    typer.Option(help="Instead of clips: the CSV of `findings export --labels`; precision by detector and week."),
]
Cache = Annotated[Path, typer.Option(help="Where analysed clips are kept.")]
Workers = Annotated[int | None, typer.Option(help="Processes; by default one a core.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print summary.json.")]


def command(
    data: Data = None,
    out: Out = Path("runs/evaluate"),
    detector: Detectors = None,
    dataset: Dataset = None,
    subset: Subset = None,
    compression: Compression = None,
    split: Split = None,
    fold: Folds = None,
    packs: Packs = None,
    mismatch: Mismatch = False,
    perturb: Perturb = False,
    perturb_clips: PerturbClips = None,
    live: Live = False,
    live_minutes: LiveMinutes = 3.0,
    pairs: Pairs = None,
    pairs_source: PairsSource = "",
    matched: Matched = False,
    cadence: Cadence = False,
    suite: Suite = False,
    part: SuiteParts = None,
    limit: Limit = None,
    write: Write = None,
    labels: Labels = None,
    cache: Cache = Path(".cache/features"),
    workers: Workers = None,
    as_json: AsJson = False,
) -> int:
    """Score every clip of a manifest or a data set: AUC with its 95 % interval, error rates and abstentions.

    What is finished is kept in OUT/partial.jsonl and OUT/live.jsonl: run the same command again and it goes on where it
    stopped.

    Example: sidewitness evaluate FaceForensics++ --compression c23 --out runs/ffpp
    """
    if labels is not None:
        return precision_of_labels(labels, out, as_json, alone=data is None)
    if pairs is not None:
        return _photos(pairs, pairs_source, out, as_json, alone=data is None and not (detector or dataset or packs))
    if not suite and (part or limit or write):
        raise typer.BadParameter("--part, --limit and --write need --suite", param_hint="--suite")
    if data is not None and suite:
        return run_suite(
            SuiteOptions(data, out, cache, workers, part or [], fold or [], packs or [], limit, write, as_json)
        )
    data = _named(data)
    if matched:
        return _matched(data, split, packs[0] if packs else None, out, cache.with_name("looks"), workers, as_json)
    _check(detector or [], split, fold or [], packs or [], clips_alone=perturb_clips is not None and not perturb)
    parts, title = _parts(data, dataset, subset, compression, split, fold or [], packs or [])
    if cadence:
        return run_cadence(parts, data, out, as_json)
    from monitor.lab.corpus.manifest import workers_here
    from monitor.lab.evaluate.robustness import Stress
    from monitor.lab.evaluate.run import EvaluationPlan, ExtraRuns
    from monitor.lab.evaluate.worker_pool import WorkerOptions

    trials = ExtraRuns(Stress(perturb_clips) if perturb else None, live_minutes if live else None, mismatch)
    effort = WorkerOptions(cache, out / "partial.jsonl", workers or workers_here())
    return _assess(EvaluationPlan(parts, tuple(detector or USUAL), out, effort, mismatch, title, trials), as_json)


def _named(data: Path | None) -> Path:
    if data is None:
        raise typer.BadParameter("name a manifest, a folder of clips, or photos with --pairs", param_hint="DATA")
    return data


def _assess(plan: EvaluationPlan, as_json: bool) -> int:
    from monitor.lab.evaluate.run import assess

    summary = assess(plan)
    typer.echo(json.dumps(summary)) if as_json else _print(summary)
    return 0


def _parts(
    data: Path,
    dataset: str | None,
    subset: str | None,
    compression: str | None,
    split: Path | None,
    folds: list[str],
    packs: list[Path],
) -> tuple[tuple[ClipSet, ...], str | None]:
    """Return the clips by the packs that score them and the data set's name, if it is one; prints what it lacks."""
    from monitor.lab.corpus.datasets import DatasetPart, read_clips
    from monitor.lab.evaluate.run import divide

    title, found = read_clips(data, dataset, DatasetPart(subset, compression))
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    return divide(found.rows, split, folds, packs), title


def _photos(photos: Path, source: str, out: Path, as_json: bool, *, alone: bool) -> int:
    """Measure the identity encoder on photos."""
    require("evaluate --pairs", "evaluate", "matplotlib")
    if not alone:
        raise typer.BadParameter(
            "--pairs measures photos by themselves: leave out clips and their options", param_hint="--pairs"
        )
    from monitor.lab.evaluate.face_verification import measure

    summary = measure(photos, out, source)
    typer.echo(json.dumps(summary)) if as_json else _print_pairs(summary)
    return 0


def _matched(
    data: Path, split: Path | None, packs: Path | None, out: Path, cache: Path, workers: int | None, as_json: bool
) -> int:
    """Write matched.csv and matched.json, and print what they come to."""
    require("evaluate --matched", "train", "sklearn")
    from engines.base import MODELS
    from monitor.lab.commands.tables import show_paired_forgeries
    from monitor.lab.studies.face_population import build_from_packs, read_rows
    from monitor.lab.studies.paired_forgeries import compare_people, write

    built, clips = build_from_packs(read_rows(data, split, forged=True), packs or MODELS, "squared", cache, workers)
    report = write(compare_people(clips, built), out)
    typer.echo(json.dumps(report)) if as_json else show_paired_forgeries(report)
    return 0


def _check(detectors: list[str], split: Path | None, folds: list[str], packs: list[Path], *, clips_alone: bool) -> None:
    """Raise `typer.BadParameter` for options that do not go together; says first what must be installed."""
    require("evaluate", "evaluate", "matplotlib")
    if clips_alone:
        raise typer.BadParameter("--perturb-clips needs --perturb", param_hint="--perturb-clips")
    from monitor.lab.evaluate.registry import detector_names

    unknown = [name for name in detectors if name not in detector_names()]
    if unknown:
        raise typer.BadParameter(
            f"unknown detector {unknown[0]!r}: there is {', '.join(detector_names())}", param_hint="--detector"
        )
    if folds and split is None:
        raise typer.BadParameter("--fold needs --split", param_hint="--fold")
    if len(packs or [""]) != max(len(folds), 1):
        raise typer.BadParameter("give one --packs for each --fold", param_hint="--packs")


def _print(summary: dict[str, Any]) -> None:
    from rich.console import Console

    from monitor.lab.evaluate.tables import live_table, results_table, robustness_table

    console = Console()
    # Into a file or a pipe there is no width to fit.
    console.width = console.width if console.is_terminal else 140
    console.print(results_table(summary))
    if "robustness" in summary:
        console.print(robustness_table(summary["robustness"]))
    if "live" in summary:
        console.print(live_table(summary["live"]))


def _print_pairs(summary: dict[str, Any]) -> None:
    from rich.console import Console

    from monitor.lab.evaluate.tables import pairs_table

    console = Console()
    console.width = console.width if console.is_terminal else 140
    console.print(pairs_table(summary))
    console.print(f"{summary['photos']} photos of {summary['people']} people, {len(summary['refused'])} gave no face")
