"""`sidewitness train people`: how genuine people move by the packs, which p-values of `persona` are read from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require
from monitor.lab.commands.packs import tell_to_trust

if TYPE_CHECKING:
    from monitor.detectors.persona.detector import PersonaPeople


def command(
    data: Annotated[
        Path, typer.Argument(help="A manifest.csv, or a folder of genuine clips, a folder a person, whom no pack saw.")
    ],
    out: Annotated[Path, typer.Option(help="Where the report, its tables and its pictures go.")],
    split: Annotated[
        Path | None, typer.Option(help="CSV with path,subject,group,fold; `persona` names the shipped one.")
    ] = None,
    fold: Annotated[
        list[str] | None, typer.Option("--fold", help="With --split: people that each --packs has not seen, in order.")
    ] = None,
    packs: Annotated[
        list[Path] | None, typer.Option("--packs", help="Folder with the persona packs; once for each --fold.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder of packs that gets people.npz: those that will judge calls.")
    ] = None,
    compressed: Annotated[
        bool, typer.Option("--compressed", help="All of it again as a call of 240 lines of H.264 at CRF 40.")
    ] = False,
    weights: Annotated[
        tuple[float, float], typer.Option(help="Of the distance and of its companion in the detector's score.")
    ] = (1.0, 1.0),
    cache: Annotated[Path, typer.Option(help="Where what is found of clips and people is kept.")] = Path(".cache"),
    workers: Annotated[int | None, typer.Option(help="Processes that read clips; by default one a core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print people.json.")] = False,
) -> int:
    """Enrol everybody from one part of their clips, measure the rest, everybody else and forgeries, and write it down.

    Personalised distances stand beside the model without tokens, the light companion and what has nothing to do with
    movement. What is finished is kept: run the same command again and it goes on where it stopped.

    Example: sidewitness train people clips.csv --split persona --fold a --packs a --fold b --packs b --out runs/people
    """
    require("train people", "evaluate", "matplotlib")
    import json

    from engines.base import MODELS
    from monitor.lab.corpus.manifest import workers_here
    from monitor.lab.studies.persona.study import Study, parts_of, run

    folders, folds = packs or [MODELS], fold or []
    if len(folders) != max(len(folds), 1):
        raise typer.BadParameter("give one --packs for each --fold", param_hint="--packs")
    if folds and split is None:
        raise typer.BadParameter("--fold needs --split", param_hint="--fold")
    if min(weights) < 0 or max(weights) <= 0:
        raise typer.BadParameter("weights are not below zero, and one is above", param_hint="--weights")
    parts = parts_of(data, split, folds, folders)
    study = Study(parts, out, cache, workers or workers_here(), compressed, weights)
    summary, people = run(study)
    typer.echo(json.dumps(summary)) if as_json else _show(summary, out)
    if into is not None:
        _write(people, into)
    return 0


def _write(people: PersonaPeople, folder: Path) -> None:
    """Put the population beside the packs that will judge, under their key; raises `EngineError`."""
    from dataclasses import replace

    from engines.base import EngineError
    from engines.seal import write_beside
    from monitor.detectors.packs import PackLoader
    from monitor.detectors.persona.detector import FILE
    from monitor.detectors.persona.entry import PERSONA, load_persona

    engines = load_persona(PackLoader(folder))
    if engines is None or not (folder / PERSONA).is_dir():
        raise EngineError(f"{folder} has no persona pack: name the folder of packs that will judge calls")
    path = folder / PERSONA / FILE
    write_beside(path, replace(people, key=engines.key).to_bytes())
    typer.echo(f"{path}: {len(people.scores)} genuine pieces of {people.people} people")
    tell_to_trust(path.parent)


def _show(summary: dict[str, Any], out: Path) -> None:
    """Print the table of areas and, where there are forgeries, that of paired wins."""
    typer.echo((out / "people.md").read_text())
    if "forged" in summary:
        typer.echo((out / "forged.md").read_text())
