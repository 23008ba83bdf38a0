"""`sidewitness train heads`: lips and voice of imported encoders into one space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require
from monitor.lab.commands.packs import tell_to_trust

if TYPE_CHECKING:
    from engines.training.heads import Heads, Vectors
    from monitor.lab.corpus.manifest import Row


def command(
    data: Annotated[Path, typer.Argument(help="A manifest.csv, or a folder of genuine clips.")],
    packs: Annotated[Path, typer.Option(metavar="FOLDER", help="Packs of `engines import`; the heads go there too.")],
    split: Annotated[
        Path | None, typer.Option(help="CSV with path,subject,group,fold; `research` names the shipped one.")
    ] = None,
    hold_out: Annotated[str, typer.Option(help="The fold whose speakers training does not see.")] = "a",
    minutes: Annotated[float, typer.Option(help="Time to train.", min=0.01)] = 10.0,
    cache: Annotated[Path, typer.Option(help="Where analysed clips are kept.")] = Path(".cache/features"),
    smoke: Annotated[bool, typer.Option("--smoke", help="A few steps only, to see that everything runs.")] = False,
) -> int:
    """Train heads on frozen encoders whose lips and voice are not in one space, and write them as model packs.

    Example: sidewitness train heads clips.csv --packs packs/lr-asd --split research --minutes 10
    """
    require("train heads", "train", "torch", "onnx", "onnxscript")
    from monitor.detectors.synchrony.entry import LIPS
    from monitor.lab.training.speech_data import GROUP_WEIGHTS, training_rows
    from monitor.session.models import HEAD

    if (packs / (LIPS + HEAD)).exists():
        raise typer.BadParameter(f"{packs} has heads already: remove its *_head folders first", param_hint="--packs")
    rows = training_rows([data], split, [hold_out])
    training, held_out = _encoded(rows, hold_out, packs, cache)
    groups = {clip.group for clip in training}
    settings: dict[str, Any] = {"weights": {g: share for g, share in GROUP_WEIGHTS.items() if g in groups}}
    if smoke:
        settings |= {"batch": 8, "max_steps": 6, "windows": ()}
    return _train(training, held_out, packs, {"minutes": minutes, **settings})


def _encoded(rows: Sequence[Row], hold_out: str, packs: Path, cache: Path) -> tuple[list[Vectors], list[Vectors]]:
    from engines.training.heads import Vectors
    from monitor.lab.corpus.manifest import CorpusError, load_features, workers_here
    from monitor.lab.progress import clip_progress
    from monitor.lab.training.speech_data import MIN_STEPS
    from monitor.lab.training.synchrony_background import encode_features
    from monitor.session.models import load_speech

    speech = load_speech(packs, heads=False)
    sides: tuple[list[Vectors], list[Vectors]] = ([], [])
    with clip_progress("encoding clips", len(rows)) as tick:
        for row, found in load_features(rows, cache, workers_here(), lambda _: None, input_spec=speech.input_spec):
            tick(found if isinstance(found, str) else None)
            if isinstance(found, str) or len(found) < MIN_STEPS or found.faces > 1:
                continue
            lips, face, voice, spoken = encode_features(found, speech.lips, speech.voice)
            good = face & spoken
            if good.sum() >= MIN_STEPS // 2:
                clip = Vectors(row.name, row.subject, row.group or row.subject, lips, voice, good)
                sides[row.fold == hold_out].append(clip)
    if not sides[0]:
        raise CorpusError("no clip shows one speaking face: check the data, or hold out another fold")
    return sides


def _train(training: Sequence[Vectors], held_out: Sequence[Vectors], packs: Path, settings: dict[str, Any]) -> int:
    from dataclasses import asdict

    from rich.console import Console
    from rich.progress import Progress

    from engines.training.heads import HeadRecipe, train_heads

    console, recipe = Console(stderr=True), HeadRecipe(**settings)
    console.print(f"{len(training)} clips to train on, {len(held_out)} held out")
    with Progress(console=console) as progress:
        task = progress.add_task("training", total=1.0)
        heads = train_heads(
            training,
            held_out,
            recipe,
            lambda news: progress.update(
                task, completed=news["done"], description=f"step {news['step']}, loss {news['loss']:.2f}"
            ),
        )
    for line in _measured(heads):
        console.print(line)
    about = {"recipe": asdict(recipe), "clips": len(training), "subjects": len({clip.subject for clip in training})}
    _write(heads, packs, about)
    return 0


def _measured(heads: Heads) -> list[str]:
    return [
        f"{row.seconds:g} s: AUC {row.auc_other:.3f} [{row.auc_other_low:.3f}-{row.auc_other_high:.3f}] other voice, "
        f"{row.auc_shift:.3f} shifted ({row.windows} windows, {row.subjects} speakers)"
        for row in heads.held_out
    ]


def _write(heads: Heads, packs: Path, about: dict[str, Any]) -> None:
    from engines.training.heads import write_heads
    from monitor.detectors.synchrony.entry import LIPS, VOICE
    from monitor.session.models import HEAD

    folders = write_heads(heads, packs, ((LIPS, LIPS + HEAD), (VOICE, VOICE + HEAD)), about)
    typer.echo("\n".join(map(str, folders)))
    tell_to_trust(*folders)
