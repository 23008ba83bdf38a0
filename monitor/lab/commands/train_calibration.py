"""`sidewitness train calibration`: what genuine people score, which p-values are read from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.seal import write_beside
from monitor.lab.commands.packs import tell_to_trust

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from monitor.decision.calibration import Calibration
    from monitor.lab.corpus.manifest import Row
    from monitor.lab.training.synchrony_background import ByLength


def command(
    data: Annotated[
        list[Path],
        typer.Argument(help="Manifests, or folders of genuine clips, of people the encoders never saw."),
    ],
    out: Annotated[Path, typer.Option(help="Where to write calibration.json.")],
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
    detector: Annotated[
        str, typer.Option(help="Whose scores: another detector's are of whole clips, as calls are judged.")
    ] = "synchrony",
) -> int:
    """Score genuine windows of people that the encoders never saw, and write what the p-values are read from.

    Example: sidewitness train calibration clips.csv --split research --fold a --out calibration.json
    """
    import json

    from engines.base import MODELS
    from monitor.decision.calibration import BRIEF_SHARE, Calibration
    from monitor.lab.corpus.manifest import read_left_out
    from monitor.lab.training.speech_data import training_rows

    folders, folds = packs or [MODELS], fold or ["a"]
    if len(folders) != len(folds):
        raise typer.BadParameter("give as many --fold as --packs", param_hint="--fold")
    brief = None
    if detector == "synchrony":
        aside = read_left_out(left_out) if left_out else frozenset()
        rows = [row for row in training_rows(data, split, folds) if row.name not in aside]
        scores, brief_scores = _scores(rows, list(zip(folders, folds, strict=True)), cache)
        brief = Calibration.build(_tables(brief_scores, "brief, "), BRIEF_SHARE)
    else:
        scores = _clip_scores(detector, data[0], folders[0], cache)
    built = Calibration.build(_tables(scores), brief=brief)
    if write_beside(out, (json.dumps(built.to_json()) + "\n").encode()):
        tell_to_trust(out.parent)
    _verify(built)
    return 0


def _tables(scores: ByLength, kind: str = "") -> dict[float, tuple[list[float], list[str]]]:
    """Keep the lengths of which there are enough people, and say how many there are of each."""
    from monitor.decision.calibration import MIN_SUBJECTS

    tables = {}
    for length, found in sorted(scores.items()):
        people = {who for _, who in found}
        missing = "" if len(people) >= MIN_SUBJECTS else ", left out"
        typer.echo(f"{kind}{length:g} s: {len(found)} windows of {len(people)} people{missing}")
        if len(people) >= MIN_SUBJECTS:
            tables[length] = ([score for score, _ in found], [who for _, who in found])
    return tables


def _scores(rows: Sequence[Row], packs: Sequence[tuple[Path, str]], cache: Path) -> tuple[ByLength, ByLength]:
    from rich.console import Console
    from rich.progress import Progress

    from monitor.lab.training.synchrony_background import background_scores

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("scoring clips", total=sum(row.fold in {fold for _, fold in packs} for row in rows))
        return background_scores(rows, packs, cache, _advancer(progress, task))


def _clip_scores(detector: str, data: Path, packs: Path, cache: Path) -> ByLength:
    from monitor.lab.corpus.manifest import workers_here
    from monitor.lab.evaluate.detector_calibration import genuine_scores
    from monitor.lab.evaluate.worker_pool import WorkerOptions

    options = WorkerOptions(cache, cache.with_name(f"calibration-{detector}.jsonl"), workers_here())
    return genuine_scores(detector, data, packs, options)


def _verify(calibration: Calibration) -> None:
    """Print how well the promise is kept: every person's windows, judged by the calibration of the others."""
    from monitor.decision.decide import DecisionConfig
    from monitor.decision.simulate import mean_e_by_subject, simulate

    config = DecisionConfig()
    rates = simulate(config, calibration, hours=20.0)
    low, high = rates.interval
    tables = calibration.brief or calibration
    longest = max(length for length in tables.lengths if length <= config.window_seconds)
    mean = mean_e_by_subject(config, tables, longest, calibration.brief is not None)
    typer.echo(
        f"false alerts an hour at {config.false_alerts_per_hour:g} allowed: {rates.false_alerts_per_hour:.3f} "
        f"[{low:.3f}-{high:.3f}] over {rates.people} people of {rates.hours / rates.people:.0f} h each, "
        f"{rates.people_alerted:.0%} of them with any (a brief window is early or skewed here at any time, which is "
        f"harder than a call); mean e-value {mean.mean():.2f} (1 at most, if it holds)"
    )


def _advancer(progress: Progress, task: TaskID) -> Callable[[int], None]:
    return lambda _: progress.advance(task)
