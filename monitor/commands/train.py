"""`sidewitness train`: make the model packs anew, on your own clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from engines.training.clips import Clip
    from monitor.corpus import Row
    from monitor.decision.calibration import Calibration

app = typer.Typer(
    help="Train the encoders and calibrate the detectors.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

RESEARCH_WEIGHTS = {"anchors": 0.45, "grid": 0.15, "wild": 0.4}


@app.command("speech")
def speech(
    data: Annotated[
        Path, typer.Argument(help="A manifest.csv (path,label,method,subject), or a folder of genuine clips.")
    ],
    out: Annotated[Path, typer.Option(help="Where checkpoints, log and packs go.")] = Path("runs/speech"),
    split: Annotated[
        Path | None,
        typer.Option(help="CSV with path,subject,group,fold; `research` in its place names the shipped one."),
    ] = None,
    hold_out: Annotated[str, typer.Option(help="The fold whose speakers training does not see.")] = "a",
    minutes: Annotated[float, typer.Option(help="Time to train.", min=0.01)] = 45.0,
    cache: Annotated[Path, typer.Option(help="Where analysed clips are kept.")] = Path(".cache/features"),
    smoke: Annotated[bool, typer.Option("--smoke", help="A few steps only, to see that everything runs.")] = False,
) -> int:
    """Train the lip and voice encoders on genuine clips and write them as model packs.

    Goes on from OUT/checkpoint.pt when there is one.

    Example: sidewitness train speech clips.csv --split research --minutes 45
    """
    if find_spec("torch") is None:
        typer.echo("error: training needs torch: install it with `pip install 'sidewitness[train]'`", err=True)
        return 1
    rows = _rows(data, split, hold_out)
    training, held_out = _clips(rows, hold_out, cache)
    sources = sorted({row.source for row in rows if row.source and row.fold != hold_out})
    return _train(training, held_out, out, minutes, smoke, sources)


def _train(
    training: Sequence[Clip], held_out: Sequence[Clip], out: Path, minutes: float, smoke: bool, sources: Sequence[str]
) -> int:
    from dataclasses import asdict, replace

    from rich.console import Console
    from rich.progress import Progress

    from engines.training.packs import draw_history, write_packs
    from engines.training.speech import Recipe, train
    from monitor.grid import RATE

    console = Console(stderr=True)
    known = {clip.group for clip in training}
    weights = {group: share for group, share in RESEARCH_WEIGHTS.items() if group in known}
    recipe = Recipe(minutes=minutes, weights=weights)
    if smoke:
        recipe = replace(recipe, batch=8, max_steps=6, windows=())
    out.mkdir(parents=True, exist_ok=True)
    console.print(f"{len(training)} clips to train on, {len(held_out)} held out")
    with Progress(console=console) as progress:
        task = progress.add_task("training", total=1.0)

        def report(news: dict[str, Any]) -> None:
            if "measured" in news:
                progress.console.print(_line(news["measured"]))
            else:
                progress.update(
                    task, completed=news["done"], description=f"step {news['step']}, loss {news['loss']:.2f}"
                )

        run = train(training, held_out, recipe, out, report)
    draw_history(run.history, out / "history.png")
    seconds = sum(len(clip) for clip in training) / RATE
    data = {
        "clips": len(training),
        "subjects": len({clip.subject for clip in training}),
        "minutes": round(seconds / 60, 1),
        "sources": ", ".join(sources) or "not named by the manifest",
    }
    folders = write_packs(run, out / "packs", asdict(recipe), data)
    console.print(f"packs: {', '.join(str(folder) for folder in folders)}")
    return 0


def _line(entry: dict[str, Any]) -> str:
    head = f"step {entry['step']}, {entry['minutes']:.1f} min"
    return "; ".join([head, *(_measured(row) for row in entry["held_out"])])


def _measured(row: Mapping[str, float | None]) -> str:
    from engines.training.packs import decimals

    other = f"{decimals(row['auc_other'])} [{decimals(row['auc_other_low'])}-{decimals(row['auc_other_high'])}]"
    size = f"{row['windows']:.0f} windows, {row['subjects']:.0f} speakers"
    return f"{row['seconds']:g} s: AUC {other} other voice, {decimals(row['auc_shift'])} shifted ({size})"


@app.command("calibration")
def calibration(
    data: Annotated[
        Path, typer.Argument(help="A manifest.csv, or a folder of genuine clips, of people the encoders never saw.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write calibration.json.")],
    packs: Annotated[
        list[Path] | None, typer.Option("--packs", help="Folder of model packs; once for each fold.")
    ] = None,
    split: Annotated[Path | None, typer.Option(help="CSV with path,subject,group,fold.")] = None,
    fold: Annotated[
        list[str] | None, typer.Option("--fold", help="Fold scored by each --packs, in the same order.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Where analysed clips are kept.")] = Path(".cache/features"),
) -> int:
    """Score genuine windows of people that the encoders never saw, and write what the p-values are read from.

    Example: sidewitness train calibration clips.csv --split research --fold a --out calibration.json
    """
    import json

    from engines.base import MODELS
    from monitor.background import background
    from monitor.decision.calibration import MIN_SUBJECTS, Calibration

    folders, folds = packs or [MODELS], fold or ["a"]
    if len(folders) != len(folds):
        raise typer.BadParameter("give as many --fold as --packs", param_hint="--fold")
    rows = _rows(data, split, folds[0])
    scores = background(rows, list(zip(folders, folds, strict=True)), cache)
    tables = {}
    for length, found in sorted(scores.items()):
        people = {who for _, who in found}
        left_out = "" if len(people) >= MIN_SUBJECTS else ", left out"
        typer.echo(f"{length:g} s: {len(found)} windows of {len(people)} people{left_out}")
        if len(people) >= MIN_SUBJECTS:
            tables[length] = ([score for score, _ in found], [who for _, who in found])
    built = Calibration.build(tables)
    out.write_text(json.dumps(built.to_json()) + "\n")
    _verify(built)
    return 0


def _verify(calibration: Calibration) -> None:
    """Print how well the promise is kept: every person's windows, judged by the calibration of the others."""
    from monitor.decision.decide import DecisionConfig
    from monitor.decision.simulate import mean_e_by_subject, simulate

    config = DecisionConfig()
    rates = simulate(config, calibration, hours=20.0)
    low, high = rates.interval
    longest = max(length for length in calibration.lengths if length <= config.window_seconds)
    typer.echo(
        f"false alerts an hour at {config.false_alerts_per_hour:g} allowed: {rates.false_alerts_per_hour:.3f} "
        f"[{low:.3f}-{high:.3f}] over {rates.people} people of {rates.hours / rates.people:.0f} h each, "
        f"{rates.people_alerted:.0%} of them with any; mean e-value "
        f"{mean_e_by_subject(config, calibration, longest).mean():.2f} (1 at most, if it holds)"
    )


def _rows(data: Path, split: Path | None, hold_out: str) -> list[Row]:
    from monitor.corpus import apply_split, read_folder, read_manifest
    from monitor.training import divide

    rows = read_folder(data) if data.is_dir() else read_manifest(data)
    if split is not None:
        rows = apply_split(rows, split)
    return [row for row in divide(rows, hold_out) if row.label == "real"]


def _clips(rows: Sequence[Row], hold_out: str, cache: Path) -> tuple[list[Clip], list[Clip]]:
    from rich.console import Console
    from rich.progress import Progress

    from monitor.corpus import CorpusError, load_features, workers_here
    from monitor.training import to_clip

    training: list[Clip] = []
    held_out: list[Clip] = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("analysing clips", total=len(rows))
        step = _stepper(progress, task)
        for row, features in load_features(rows, cache, workers_here(), step):
            if isinstance(features, str):
                progress.console.print(f"note: {features}", markup=False)
                continue
            clip = to_clip(row, features)
            if clip is not None:
                (held_out if row.fold == hold_out else training).append(clip)
    if not training:
        raise CorpusError("no clip shows one speaking face: check the data, or hold out another fold")
    return training, held_out


def _stepper(progress: Progress, task: TaskID) -> Callable[[int], None]:
    return lambda count: progress.update(task, completed=count)
