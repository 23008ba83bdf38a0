"""`sidewitness scan`: judge recorded clips."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engines.load import EngineName

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from monitor.models import Models
    from monitor.scan import ClipVerdict
    from monitor.session import SessionConfig


def command(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", help="Video files with sound.")],
    identity: Annotated[str | None, typer.Option(metavar="NAME", help="Whom the participant claims to be.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line and nothing else.")] = False,
    engine: Annotated[EngineName, typer.Option(help="What runs the encoders.")] = "openvino",
    window: Annotated[Literal["5", "10"], typer.Option(help="Window in seconds.")] = "5",
    packs: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Model packs of other speech encoders; see `engines import`.")
    ] = None,
) -> int:
    """Judge recorded clips by whether lips and voice belong together.

    A high agreement is no proof of a genuine person; a low one is evidence of a forgery.

    Example: sidewitness scan interview.mp4 --json
    """
    from rich.console import Console

    from engines.base import MODELS
    from monitor.decision.decide import DecisionConfig
    from monitor.models import load_models
    from monitor.session import SessionConfig

    err = Console(stderr=True)
    config = SessionConfig(DecisionConfig(window_seconds=float(window)))
    if identity is not None:
        err.print("note: nobody is enrolled under that name: the clips are judged without a reference", markup=False)
    verdicts, failed = _scan_all(clips, identity, config, err, as_json, load_models(engine, packs or MODELS))
    if not as_json and verdicts:
        _table(verdicts)
    return 1 if failed else 0


def _scan_all(
    clips: list[Path], identity: str | None, config: SessionConfig, err: Console, as_json: bool, models: Models
) -> tuple[list[ClipVerdict], int]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from monitor.scan import scan
    from monitor.tap.replay import probe_clip
    from monitor.tap.source import SourceError

    verdicts: list[ClipVerdict] = []
    failed = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        for clip in clips:
            try:
                task = progress.add_task(escape(clip.name), total=max(probe_clip(clip).seconds, 0.1))
                verdict = scan(clip, models, config, partial(_advance, progress, task), identity)
            except SourceError as error:
                failed += 1
                err.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
                continue
            verdicts.append(verdict)
            for fault in verdict.faults:
                err.print(f"note: {clip.name}: {fault}", markup=False, highlight=False, soft_wrap=True)
            if as_json:
                typer.echo(json.dumps(verdict.as_json()))
    return verdicts, failed


def _advance(progress: Progress, task: TaskID, seconds: float) -> None:
    progress.update(task, completed=seconds)


def _table(verdicts: list[ClipVerdict]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from monitor.words import say

    table = Table("clip", "seconds", "verdict", "agreement", "p", "in words")
    colours = {"alert": "bold red", "suspect": "yellow", "bona_fide": "green", "inconclusive": "dim"}
    for verdict in verdicts:
        score = verdict.scores[0]
        value = "-" if score.value is None else f"{-score.value:.2f}"
        p = "-" if score.p_value is None else f"{score.p_value:.3f}"
        style = colours[verdict.verdict.value]
        words = say(verdict.verdict, verdict.reason)
        table.add_row(
            escape(Path(verdict.clip).name),
            f"{verdict.seconds:.1f}",
            f"[{style}]{verdict.verdict.value}[/]",
            value,
            p,
            words,
        )
    Console().print(table)
