"""`sidewitness train`: make the model packs anew, on your own clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require
from monitor.lab.commands import (
    train_calibration,
    train_faces,
    train_fusion,
    train_heads,
    train_mouths,
    train_pairs,
    train_people,
    train_persona,
    train_synthetic_voice,
    train_voiceprints,
    train_voices,
)
from monitor.lab.commands.packs import tell_to_trust

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from engines.training.clips import Clip
    from engines.training.speech_recipe import SpeechRecipe, SpeechRun
    from monitor.lab.corpus.manifest import Row

ALIGN_AT_ONCE = 0.02

app = typer.Typer(
    help="Train the encoders and calibrate the detectors.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

app.command("heads")(train_heads.command)
app.command("faces")(train_faces.command)
app.command("calibration")(train_calibration.command)
app.command("fusion")(train_fusion.command)
app.command("voices")(train_voices.command)
app.command("mouths")(train_mouths.command)
app.command("pairs")(train_pairs.command)
app.command("people")(train_people.command)
app.command("persona")(train_persona.command)
app.command("voiceprints")(train_voiceprints.command)
app.command("synthetic-voice")(train_synthetic_voice.command)


@app.command("speech")
def speech(
    data: Annotated[
        list[Path],
        typer.Argument(help="Manifests (path,label,method,subject), published data sets, or folders of clips."),
    ],
    out: Annotated[Path, typer.Option(help="Where checkpoints, log and packs go.")] = Path("runs/speech"),
    dataset: Annotated[
        str | None, typer.Option(help="Layout of the folder, such as voxceleb2, lrs3 or avspeech, if not seen.")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(help="CSV with path,subject,group,fold; `research` and `sources` name the shipped ones."),
    ] = None,
    hold_out: Annotated[
        list[str] | None, typer.Option(help="Fold whose speakers training does not see; once for each.  [default: a]")
    ] = None,
    minutes: Annotated[float, typer.Option(help="Time to train each member.", min=0.01)] = 45.0,
    members: Annotated[int, typer.Option(help="Towers trained apart and shipped as one ensemble.", min=1, max=8)] = 1,
    masked: Annotated[
        list[float] | None,
        typer.Option("--masked", help="Weight of masked prediction, such as 0.3 (none); once for each member in turn."),
    ] = None,
    calls: Annotated[int, typer.Option(help="Train on so many bad calls of each clip as well.", min=0, max=9)] = 2,
    start: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of model packs to begin with; of several it is the mean of their weights."),
    ] = None,
    patience: Annotated[
        int, typer.Option(help="Stop after so many measurements without a gain on held-out speakers; 0: never.", min=0)
    ] = 4,
    device: Annotated[str, typer.Option(help="Torch device; `auto` takes a GPU where there is one.")] = "auto",
    cache: Annotated[Path, typer.Option(help="Where analysed clips are kept.")] = Path(".cache/features"),
    smoke: Annotated[bool, typer.Option("--smoke", help="A few steps only, to see that everything runs.")] = False,
) -> int:
    """Train the lip and voice encoders on genuine clips and write them as model packs.

    Goes on from the checkpoints under OUT when there are any.

    Example: sidewitness train speech clips.csv second.csv --split sources --hold-out a --hold-out 1 --minutes 45
    """
    require("train speech", "train", "torch", "onnx", "onnxscript", "matplotlib")
    from dataclasses import replace

    from engines.training.speech_recipe import SpeechRecipe
    from monitor.lab.training.speech_data import GROUP_WEIGHTS, training_rows

    folds = hold_out or ["a"]
    rows = training_rows(data, split, folds, dataset)
    training, held_out = _clips(rows, folds, cache, calls)
    groups = {clip.group for clip in training}
    weights = {group: share for group, share in GROUP_WEIGHTS.items() if group in groups}
    recipe = SpeechRecipe(minutes=minutes, patience=patience, device=device, weights=weights)
    if start:
        # Towers that know the task know by how much a clip runs late.
        recipe = replace(recipe, rate=recipe.rate / 3, align_at=ALIGN_AT_ONCE)
    if smoke:
        recipe = replace(recipe, batch=8, max_steps=6, measure_every=0.0, patience=0, windows=(2.0,))
    sources = sorted({row.source for row in rows if row.source and row.fold not in folds})
    return _train(training, held_out, out, _of_members(recipe, members, masked or []), start or [], sources)


def _of_members(recipe: SpeechRecipe, members: int, masked: Sequence[float]) -> list[SpeechRecipe]:
    """Give each member its own seed, and the weights of masked prediction in turn."""
    from dataclasses import replace

    shares = masked or [recipe.masked_weight]
    count = max(members, len(shares))
    return [replace(recipe, seed=recipe.seed + n, masked_weight=shares[n % len(shares)]) for n in range(count)]


def _train(
    training: Sequence[Clip],
    held_out: Sequence[Clip],
    out: Path,
    recipes: Sequence[SpeechRecipe],
    start: Sequence[Path],
    sources: Sequence[str],
) -> int:
    from dataclasses import asdict

    from rich.console import Console

    from engines.packs import load_pack
    from engines.training.packs import draw_history, write_packs
    from monitor.window.grid import GRID_HZ

    console = Console(stderr=True)
    plain = {clip.name: clip for clip in training}.values()
    console.print(f"{len(plain)} clips to train on ({len(training)} versions), {len(held_out)} held out")
    runs = []
    for member, recipe in enumerate(recipes):
        folder = out / f"member-{member}"
        run = _member(training, held_out, recipe, folder, start, console)
        draw_history(run.history, folder / "history.png")
        runs.append(run)
    about = {
        "clips": len(plain),
        "versions": len(training),
        "subjects": len({clip.subject for clip in plain}),
        "minutes": round(sum(len(clip) for clip in plain) / GRID_HZ / 60, 1),
        "sources": ", ".join(sources) or "not named by the manifest",
    }
    if start:
        hashes = [load_pack(folder / "speech_lips").manifest.sha256[:16] for folder in start]
        about["started_from"] = ", ".join(hashes)
    folders = write_packs(runs, held_out, out / "packs", [asdict(recipe) for recipe in recipes], about)
    console.print(f"packs: {', '.join(str(folder) for folder in folders)}")
    tell_to_trust(*folders)
    return 0


def _member(
    training: Sequence[Clip],
    held_out: Sequence[Clip],
    recipe: SpeechRecipe,
    folder: Path,
    start: Sequence[Path],
    console: Console,
) -> SpeechRun:
    from rich.progress import Progress

    from engines.training.speech import train

    folder.mkdir(parents=True, exist_ok=True)
    with Progress(console=console) as progress:
        task = progress.add_task("training", total=1.0)

        def report(news: dict[str, Any]) -> None:
            if "measured" in news:
                progress.console.print(_line(news["measured"]))
            else:
                progress.update(
                    task, completed=news["done"], description=f"step {news['step']}, loss {news['loss']:.2f}"
                )

        return train(training, held_out, recipe, folder, report, start=start)


def _line(entry: dict[str, Any]) -> str:
    head = f"step {entry['step']}, {entry['minutes']:.1f} min"
    return "; ".join([head, *(_measured(row) for row in entry["held_out"])])


def _measured(row: Mapping[str, float | None]) -> str:
    from engines.training.packs import decimals

    other = f"{decimals(row['auc_other'])} [{decimals(row['auc_other_low'])}-{decimals(row['auc_other_high'])}]"
    size = f"{row['windows']:.0f} windows, {row['subjects']:.0f} speakers"
    return f"{row['seconds']:g} s: AUC {other} other voice, {decimals(row['auc_shift'])} shifted ({size})"


def _clips(rows: Sequence[Row], hold_out: Sequence[str], cache: Path, calls: int) -> tuple[list[Clip], list[Clip]]:
    from rich.console import Console
    from rich.progress import Progress

    from monitor.lab.corpus.manifest import CorpusError
    from monitor.lab.training.speech_data import analyses, load_clips

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("analysing clips", total=analyses(rows, hold_out, calls))

        def note(line: str) -> None:
            progress.console.print(f"note: {line}", markup=False)

        training, held_out = load_clips(rows, hold_out, cache, calls, _stepper(progress, task), note)
    if not training:
        raise CorpusError("no clip shows one speaking face: check the data, or hold out another fold")
    return training, held_out


def _stepper(progress: Progress, task: TaskID) -> Callable[[int], None]:
    return lambda count: progress.update(task, completed=count)
