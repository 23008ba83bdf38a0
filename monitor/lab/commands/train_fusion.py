"""`sidewitness train fusion`: by what rule the measures of lips and voice are fused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engines.extras import require
from engines.seal import write_beside
from monitor.lab.commands.packs import tell_to_trust


def command(
    data: Annotated[
        list[Path],
        typer.Argument(help="Manifests, or folders of genuine clips, of people the encoders never saw."),
    ],
    out: Annotated[Path, typer.Option(help="Where to write fusion.json; it belongs beside speech_lips/model.onnx.")],
    packs: Annotated[
        list[Path] | None, typer.Option("--packs", help="Folder of model packs; once for each fold.")
    ] = None,
    split: Annotated[Path | None, typer.Option(help="CSV with path,subject,group,fold.")] = None,
    fold: Annotated[
        list[str] | None, typer.Option("--fold", help="Fold scored by each --packs, in the same order.")
    ] = None,
    left_out: Annotated[
        Path | None,
        typer.Option(help="CSV with path,set_aside,reason: clips whose label is wrong; `outliers` is the shipped one."),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Where analysed clips are kept.")] = Path(".cache/features"),
) -> int:
    """Fit the log odds of another's voice to genuine people, with their own voice and with others'.

    The calibration holds for this rule only: make it next (`sidewitness train calibration`).

    Example: sidewitness train fusion clips.csv --split research --fold a --out fusion.json
    """
    require("train fusion", "train", "sklearn", "torch")
    from rich.console import Console
    from rich.progress import Progress

    from engines.base import MODELS
    from monitor.lab.corpus.manifest import read_left_out
    from monitor.lab.training.fusion_fit import described, fit_fusion, samples
    from monitor.lab.training.speech_data import training_rows

    folders, folds = packs or [MODELS], fold or ["a"]
    if len(folders) != len(folds):
        raise typer.BadParameter("give as many --fold as --packs", param_hint="--fold")
    aside = read_left_out(left_out) if left_out else frozenset()
    rows = [row for row in training_rows(data, split, folds) if row.name not in aside and row.fold in folds]
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("meeting voices", total=len(rows))
        named = list(zip(folders, folds, strict=True))
        found = list(samples(rows, named, cache, lambda count: progress.advance(task, count)))
    fusion = fit_fusion(found)
    if write_beside(out, fusion.to_bytes()):
        tell_to_trust(out.parent)
    typer.echo(f"{len(found)} moments of {len({sample.person for sample in found})} people")
    typer.echo(described(fusion, found))
    return 0
