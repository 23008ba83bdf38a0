"""`sidewitness scan`: judge recorded clips."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engines.option import engine_option
from engines.registry import EngineName

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from monitor.detectors.reference import Reference
    from monitor.session.clip import ClipVerdict
    from monitor.types import Score

# Also of `enroll`.
AudioTrack = Annotated[
    int | None, typer.Option("--audio", metavar="N", min=1, help="Which audio track, from 1, instead of the default.")
]
VideoTrack = Annotated[
    int | None, typer.Option("--video", metavar="N", min=1, help="Which video track, from 1, instead of the default.")
]


def command(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", help="Video files with sound.")],
    identity: Annotated[str | None, typer.Option(metavar="NAME", help="Whom the participant claims to be.")] = None,
    settings: Annotated[
        Path | None, typer.Option("--config", help="The YAML file that names the vault, as `serve` has it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line and nothing else.")] = False,
    engine: Annotated[EngineName, engine_option("What runs the encoders.")] = "openvino",
    window: Annotated[Literal["5", "10"], typer.Option(help="Window in seconds.")] = "5",
    packs: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Model packs of other speech encoders; see `engines import`.")
    ] = None,
    audio: AudioTrack = None,
    video: VideoTrack = None,
) -> int:
    """Judge recorded clips: do lips and voice belong together, does the enrolled person look and move so.

    Agreement of lips and voice is no proof of a genuine person; a lack of it is evidence of a forgery. Only who is
    compared with an enrolled person can be found genuine.

    Example: sidewitness scan interview.mp4 --json
    """
    from rich.console import Console

    from engines.base import MODELS
    from monitor.decision.decide import DecisionConfig
    from monitor.session.clip import scan
    from monitor.session.models import load_models
    from monitor.session.session import SessionConfig
    from monitor.tap import clip_process
    from monitor.tap.clip_file import TrackChoice

    # It starts while the models are loaded.
    clip_process.prepare()
    err = Console(stderr=True)
    config = SessionConfig(DecisionConfig(window_seconds=float(window)))
    reference = _reference(identity, settings) if identity is not None else None
    if identity is not None and reference is None:
        err.print("note: nobody is enrolled under that name: the clips are judged without a reference", markup=False)
    judge = partial(
        scan,
        models=load_models(engine, packs or MODELS),
        config=config,
        identity=identity,
        reference=reference,
        choice=TrackChoice(audio, video),
    )
    verdicts, failed = _scan_all(clips, judge, err, as_json)
    if not as_json and verdicts:
        _table(verdicts)
    return 1 if failed else 0


def _reference(name: str, config: Path | None) -> Reference | None:
    from monitor.identity.vault.open import existing_vault
    from monitor.identity.vault.registry import Identities
    from monitor.storage.tenancy.command import load

    vault = existing_vault(load(config))
    if vault is None:
        return None
    with vault as opened:
        opened.open()
        return Identities(opened).reference(name)


def _scan_all(
    clips: list[Path], judge: Callable[..., ClipVerdict], err: Console, as_json: bool
) -> tuple[list[ClipVerdict], int]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from monitor.tap.clip_file import describe_choice
    from monitor.tap.media.source import SourceError
    from monitor.tap.replay import probe_clip

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
                verdict = judge(clip, progress=partial(_advance, progress, task))
            except SourceError as error:
                failed += 1
                err.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
                continue
            verdicts.append(verdict)
            for note in (*filter(None, map(describe_choice, verdict.tracks)), *verdict.faults):
                err.print(f"note: {clip.name}: {note}", markup=False, highlight=False, soft_wrap=True)
            if as_json:
                typer.echo(json.dumps(verdict.as_json()))
    return verdicts, failed


def _advance(progress: Progress, task: TaskID, seconds: float) -> None:
    progress.update(task, completed=seconds)


def _table(verdicts: list[ClipVerdict]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from monitor.decision.contrast import contrast_in
    from monitor.decision.words import contrasted, sentence
    from monitor.detectors.registry import infos, phrases

    known = infos()
    # However many detectors there are, whose line it is stays readable.
    table = Table(Column("clip", no_wrap=True), "seconds", "verdict", *(info.label for info in known), "in words")
    colours = {"alert": "bold red", "suspect": "yellow", "bona_fide": "green", "inconclusive": "dim"}
    for verdict in verdicts:
        style = colours[verdict.verdict.value]
        scores = {score.detector: score for score in verdict.scores}
        table.add_row(
            escape(Path(verdict.clip).name),
            f"{verdict.seconds:.1f}",
            f"[{style}]{verdict.verdict.value}[/]",
            *(_cell(scores.get(info.name), info.sign) for info in known),
            sentence(verdict.verdict, verdict.reason, phrases()) + contrasted(contrast_in(verdict.scores)),
        )
    Console().print(table)


def _cell(score: Score | None, sign: int) -> str:
    """Show a score as people read it: an agreement where the detector counts the lack of one."""
    if score is None or score.value is None:
        return "-"
    return f"{sign * score.value:.2f}" + ("" if score.p_value is None else f"\np {score.p_value:.3f}")
