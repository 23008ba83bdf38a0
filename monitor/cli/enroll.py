"""`sidewitness enroll`: make and seal the reference of a person whom participants may claim to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require
from engines.option import engine_option
from engines.registry import EngineName
from monitor.cli.identities import Actor, current_user
from monitor.cli.scan import AudioTrack, VideoTrack

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config import Settings
    from monitor.identity.enrolment.enrol import Enrolment, Progress
    from monitor.identity.vault.consent import Consent
    from monitor.identity.vault.records import Details, Enrolled

LINES = 10

Poses = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the accepted poses, as outlines, into this PNG.")
]


Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="What a policy groups this person by; may be given several times."),
]
VerifyBy = Annotated[
    str | None,
    typer.Option("--verify-by", metavar="NUMBER|LINK", help="How to reach them and ask whether it is they; sealed."),
]


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom participants claim to be.")],
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", help="Recordings of that person, with sound.")],
    consent: Annotated[
        Path | None,
        typer.Option("--consent", metavar="FILE", help="The consent, YAML or JSON; see docs/identities.md."),
    ] = None,
    consent_by: Annotated[
        str | None, typer.Option("--consent-by", metavar="WHO", help="Who gave consent today, instead of a file.")
    ] = None,
    tag: Tags = None,
    verify_by: VerifyBy = None,
    poses: Poses = None,
    without_identity: Annotated[
        bool, typer.Option("--without-identity", help="Enrol even where the identity encoder is not installed.")
    ] = False,
    actor: Actor = None,
    engine: Annotated[EngineName | None, engine_option("What runs the encoders.")] = None,
    config: Annotated[Path | None, typer.Option(help="The YAML file that `serve` would be given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    audio: AudioTrack = None,
    video: VideoTrack = None,
) -> int:
    """Enrol a person from recordings: a minute of clear face and half a minute of speech at least.

    Nothing of the recordings is kept: a reference is, sealed in the vault. Enrolling somebody again replaces the
    reference and keeps the history.

    Example: sidewitness enroll "Jane Doe" talk.mp4 interview.mp4 --consent consent.yaml
    """
    if poses is not None:
        require("enroll --poses", "evaluate", "matplotlib")
    from rich.console import Console

    from engines.base import MODELS
    from monitor.identity.enrolment.config import EnrolConfig
    from monitor.identity.enrolment.enrol import EnrolmentRefused, enrol
    from monitor.identity.vault.open import open_vault
    from monitor.session.models import load_models
    from monitor.storage.tenancy.command import load
    from monitor.tap.clip_file import TrackChoice

    err, settings = Console(stderr=True), load(config)
    # What cannot end well is told before the long work: the name, the consent and the vault.
    details, given = _details(name, tag, verify_by), _consent(settings, consent, consent_by)
    vault = open_vault(settings)
    try:
        models = load_models(engine or settings.engine, settings.packs or MODELS)
        with _progress(err) as tell:
            demands, choice = EnrolConfig(require_identity=not without_identity), TrackChoice(audio, video)
            made = enrol(clips, models, demands, tell, choice)
        if poses is not None:
            _draw(made, poses)
        enrolled = vault.store(name, made.reference.to_bytes(), given, actor or current_user(), details)
    except EnrolmentRefused as refusal:
        return _refused(refusal.reasons, as_json)
    finally:
        vault.close()
    _say(made, enrolled, as_json, err)
    return 0


def _details(name: str, tags: list[str] | None, verify_by: str | None) -> Details:
    from monitor.identity.vault.records import Details, check_name

    check_name("name", name)
    return Details(tuple(tags or ()), verify_by).checked()


def _consent(settings: Settings, file: Path | None, by: str | None) -> Consent:
    from datetime import UTC, datetime

    from monitor.identity.vault.consent import resolve

    now = datetime.now(UTC)
    return resolve(file, by, required=settings.consent_required, days=settings.consent_days, now=now)


def _draw(made: Enrolment, target: Path) -> None:
    from monitor.identity.enrolment.pose_picture import draw_poses

    draw_poses(made.poses, target)


def _refused(reasons: tuple[str, ...], as_json: bool) -> int:
    if as_json:
        typer.echo(json.dumps({"state": "refused", "reasons": list(reasons)}))
    for reason in reasons:
        typer.echo(f"error: {reason}", err=True)
    return 1


@contextmanager
def _progress(err: Console) -> Iterator[Progress]:
    """Show a bar with the time left on a terminal, a few lines elsewhere."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    if not err.is_terminal:
        told: list[int] = []

        def line(what: str, share: float) -> None:
            step = int(share * LINES)
            if step not in told:
                told.append(step)
                err.print(f"{what} ({share:.0%})", markup=False, highlight=False, soft_wrap=True)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def advance(what: str, share: float) -> None:
            bar.update(task, description=what, completed=share)

        yield advance


def _say(made: Enrolment, enrolled: Enrolled, as_json: bool, err: Console) -> None:
    for note in made.notes:
        err.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    quality = made.quality.as_json()
    if as_json:
        told: dict[str, Any] = {"version": enrolled.version, "state": enrolled.state, "quality": quality}
        typer.echo(json.dumps(told))
        return
    from rich.console import Console
    from rich.table import Table

    advice = quality.pop("advice")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("enrolment", f"version {enrolled.version}, {enrolled.state.replace('_', ' ')}")
    for key, value in quality.items():
        shown = " to ".join(map(str, value)) if key in ("yaw", "pitch") else value
        shown = ", ".join(shown) if isinstance(shown, list) else shown
        table.add_row(key.replace("_", " "), str(shown))
    console = Console()
    console.print(table)
    for line in advice:
        console.print(f"better: {line}", markup=False, highlight=False)
