"""`sidewitness train pairs`: what is natural between looks at one face, and what genuine people score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.extras import require
from monitor.lab.commands.packs import tell_to_trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.lab.studies.face_population import FaceClip, FittedPopulation
    from monitor.types import FloatArray


def command(
    data: Annotated[Path, typer.Argument(help="A manifest.csv, or a folder of genuine clips, a folder a person.")],
    split: Annotated[
        Path | None, typer.Option(help="CSV with path,subject,group,fold; `matched` names the shipped one.")
    ] = None,
    packs: Annotated[Path | None, typer.Option(help="Folder with face_artefacts, and face_identity.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; by default beside the pack.")] = None,
    feature: Annotated[
        str, typer.Option(help="Pair features of the published form: abs, sub, squared or cubed.")
    ] = "squared",
    matched: Annotated[
        Path | None, typer.Option(help="Measure forged clips of the same people too; a folder for the report.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="With --matched: the published form too, by four features and three models."),
    ] = False,
    cache: Annotated[Path, typer.Option(help="Where looks at faces are kept.")] = Path(".cache/looks"),
    workers: Annotated[int | None, typer.Option(help="Processes that read clips; by default one a core.")] = None,
) -> int:
    """Fit the pair model to genuine clips, score each person against themselves, and write the population.

    With --matched, clips that the manifest calls fake are compared with the same person's genuine ones, and other
    people claim each name.

    Example: sidewitness train pairs clips.csv --split matched --matched runs/matched
    """
    require("train pairs", "train", "sklearn")
    if compare:
        require("train pairs --compare", "train", "sklearn", "torch")
    from engines.base import MODELS
    from engines.seal import write_beside
    from monitor.detectors.pairwise.entry import ARTEFACTS
    from monitor.detectors.pairwise.pair_features import FEATURES
    from monitor.detectors.pairwise.population import FILE
    from monitor.lab.commands.tables import show_paired_forgeries
    from monitor.lab.studies.face_population import build_from_packs, read_rows
    from monitor.lab.studies.paired_forgeries import compare_people, write

    if feature not in FEATURES:
        raise typer.BadParameter(f"unknown feature {feature!r}: there is {', '.join(FEATURES)}", param_hint="--feature")
    target = out or (packs or MODELS) / ARTEFACTS / FILE
    built, clips = build_from_packs(
        read_rows(data, split, forged=matched is not None), packs or MODELS, feature, cache, workers
    )
    changed = write_beside(target, built.population.to_bytes())
    typer.echo(f"{target}: {len(built.population.scores)} genuine windows of {built.population.people} people")
    if changed:
        tell_to_trust(target.parent)
    if matched is not None:
        show_paired_forgeries(write(compare_people(clips, built), matched))
        _claims(clips, built, matched)
    if matched is not None and compare:
        _compare(clips, matched)
    return 0


def _claims(clips: Sequence[FaceClip], fitted: FittedPopulation, out: Path) -> None:
    """Write claims.json, and print a line: what other people under a person's name score."""
    import json

    from monitor.lab.studies.impostors import claims

    report = claims(clips, fitted).as_json()
    (out / "claims.json").write_text(json.dumps(report, indent=2) + "\n")
    typer.echo(
        f"another person under the name: {report['windows']} windows of {report['people']} people's names, "
        f"AUC {report['auc']}, EER {report['eer']}, p <= 0.05 in {report['found']}; mean e-value {report['e_value']}"
    )


def _compare(clips: Sequence[FaceClip], out: Path) -> None:
    """Write published.json, and print a line for each model and feature."""
    import json

    from engines.training.pairs import Scorer, fit_autoencoder, fit_mixture, fit_one_class
    from monitor.detectors.pairwise.mixture import Mixture
    from monitor.lab.studies.difffake_baseline import compare_models

    def gmm(x: FloatArray) -> Scorer:
        return Mixture.from_arrays(fit_mixture(x)).log_likelihood

    report = compare_models(clips, {"gmm": gmm, "one-class svm": fit_one_class, "autoencoder": fit_autoencoder})
    (out / "published.json").write_text(json.dumps(report, indent=2) + "\n")
    for name, summary in report.items():
        typer.echo(
            f"{name}: wins {summary['wins']} [{summary['wins_low']}-{summary['wins_high']}], AUC {summary['auc']}"
        )
