"""`sidewitness train faces`: the backbone that separates blends from genuine faces, on your own pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engines.extras import require
from monitor.lab.commands.packs import tell_to_trust

if TYPE_CHECKING:
    from engines.training.backbone import Backbone, FaceRecipe
    from engines.training.faces import Face


def command(
    data: Annotated[
        list[Path],
        typer.Argument(help="Manifests or folders of portraits and genuine clips; what is fake is left out."),
    ],
    out: Annotated[Path, typer.Option(help="Where checkpoints, log, sheet and pack go.")] = Path("runs/faces"),
    hold_out: Annotated[str, typer.Option(help="The fold whose people training does not see.")] = "held",
    trunk: Annotated[
        Literal["mobilenetv2", "efficientnet-b4"], typer.Option(help="The light one, or the paper's.")
    ] = "mobilenetv2",
    start: Annotated[
        Path | None,
        typer.Option(help="Published weights to begin with: Gluon's MobileNetV2 .npz, torchvision's B4 .pth."),
    ] = None,
    optimiser: Annotated[
        Literal["adamw", "sam"], typer.Option(help="`sam` is the paper's, at twice the time.")
    ] = "adamw",
    size: Annotated[
        int, typer.Option(help="Side of the pictures, in pixels; a multiple of 32.", min=64, max=512)
    ] = 160,
    minutes: Annotated[float, typer.Option(help="Time to train.", min=0.01)] = 90.0,
    per_clip: Annotated[int, typer.Option(help="Pictures taken of each clip, a second apart.", min=1)] = 12,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Only draw a contact sheet of genuine faces, masks and pseudo-deepfakes.")
    ] = False,
    cache: Annotated[Path, typer.Option(help="Where the faces that were found are kept.")] = Path(".cache/faces"),
    smoke: Annotated[bool, typer.Option("--smoke", help="A few steps only, to see that everything runs.")] = False,
) -> int:
    """Train the backbone of DiffFake on genuine faces and their own blends and write it as a model pack.

    Goes on from the checkpoint under OUT when there is one. People with forged clips in a manifest are left out, so
    that matched pairs of them can be measured.

    Example: sidewitness train faces photos.csv clips.csv --start mobilenetv2.npz --minutes 90
    """
    require("train faces", "train", "torch", "onnx", "onnxscript", "matplotlib")
    from dataclasses import replace

    from engines.training.backbone import PAPER, FaceRecipe

    training, held_out = _faces(data, hold_out, per_clip, cache)
    out.mkdir(parents=True, exist_ok=True)
    if sheet:
        return _sheet(training or held_out, out / "sheet.png")
    recipe = FaceRecipe() if trunk == "mobilenetv2" else PAPER
    recipe = replace(recipe, trunk=trunk, optimiser=optimiser, size=size, minutes=minutes)
    if smoke:
        recipe = replace(recipe, batch=4, max_steps=3, measure_faces=4, workers=0, rank_weight=0.5, dense_weight=1.0)
        held_out = held_out[:4]
    return _train(training, held_out, out, recipe, start)


def _faces(data: Sequence[Path], hold_out: str, per_clip: int, cache: Path) -> tuple[list[Face], list[Face]]:
    from rich.console import Console
    from rich.progress import Progress

    from monitor.lab.corpus.manifest import CorpusError, workers_here
    from monitor.lab.corpus.portraits import face_rows, load_faces

    rows = face_rows(data, hold_out)
    missed = 0

    def note(_: str) -> None:
        nonlocal missed
        missed += 1

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("finding faces", total=len(rows))
        faces = load_faces(
            rows, cache, workers_here(), per_clip, lambda count: progress.update(task, completed=count), note
        )
        progress.console.print(f"{len(faces)} faces; {missed} of {len(rows)} files show no single usable one")
    if not faces:
        raise CorpusError("no picture shows a single face: check the data")
    return [one for one in faces if one.fold != hold_out], [one for one in faces if one.fold == hold_out]


def _sheet(faces: Sequence[Face], path: Path) -> int:
    from engines.training.sheet import contact_sheet

    contact_sheet(faces).save(path)
    typer.echo(str(path))
    return 0


def _train(
    training: Sequence[Face], held_out: Sequence[Face], out: Path, recipe: FaceRecipe, start: Path | None
) -> int:
    from dataclasses import asdict

    from rich.console import Console
    from rich.progress import Progress

    from engines.training.backbone import train
    from engines.training.face_pack import draw_history, measure_backbone, write_face_pack

    console = Console(stderr=True)
    console.print(f"{len(training)} faces to train on, {len(held_out)} held out")
    with Progress(console=console) as progress:
        task = progress.add_task("training", total=1.0)

        def report(news: dict[str, Any]) -> None:
            if "measured" in news:
                progress.console.print(_line(news["measured"]))
            else:
                progress.update(
                    task, completed=news["done"], description=f"step {news['step']}, loss {news['loss']:.2f}"
                )

        run = train(training, held_out, recipe, out, report, _starter(recipe.trunk, start) if start else None)
    draw_history(run.history, out / "history.png")
    stills = [face for face in held_out if face.still] or list(held_out)
    with console.status("measuring on everybody who was held out"):
        metrics = measure_backbone(run.mean, stills, recipe.size) if stills else {}
    about = {
        "pictures": sum(face.still for face in training),
        "frames of clips": sum(not face.still for face in training),
        "people": len({face.subject for face in training}),
        "sources": ", ".join(sorted({face.source for face in training if face.source})) or "not named",
    }
    recipe_used = asdict(recipe) | {"start": start.name if start else "", "steps": run.step}
    folder = write_face_pack(run.mean, recipe.size, out / "packs", recipe_used, about, metrics)
    console.print(f"pack: {folder}")
    tell_to_trust(folder)
    return 0


def _starter(trunk: str, path: Path) -> Callable[[Backbone], None]:
    from engines.training.face_start import load_start

    return lambda net: load_start(net, trunk, path)


def _line(row: dict[str, Any]) -> str:
    parts = [f"step {row['step']}, {row['minutes']:.1f} min"]
    for family in ("clean", "degraded"):
        if family in row:
            one = row[family]
            schemes = ", ".join(f"{name} {one[f'auc_{name}']:.3f}" for name in ("whole", "eyes", "lower", "jawline"))
            parts.append(f"{family} AUC {one['auc']:.3f} ({schemes}), within pair {one['within_pair']:.3f}")
    return "; ".join(parts)
