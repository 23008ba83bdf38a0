"""`sidewitness bench`: what this machine can do, each number next to its budget."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.load import EngineName

if TYPE_CHECKING:
    from monitor.bench.result import Result
    from monitor.bench.run import Options


def command(
    seconds: Annotated[float, typer.Option(help="Seconds of the live call that are measured.", min=1.0)] = 20.0,
    participants: Annotated[
        int | None, typer.Option(help="Participants of the live call (default: two a core, 8 at most).", min=1, max=64)
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(help="A talking face with sound (default: one of SIDEWITNESS_DATA, or a pattern).")
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="What runs the encoders.")] = "openvino",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for bench.json and bench.png.", metavar="DIR")] = None,
) -> None:
    """Measure this machine against the budgets.

    Starts a sidecar of its own on a free port and publishes to it over WebRTC, from another process; takes one core
    for half a minute, then several. Leave the machine alone meanwhile. Being over a budget is not a failure.

    \b
    Example:
      sidewitness bench --clip talking.mp4 --out runs/bench
    """  # noqa: D301
    from monitor.bench.run import Options

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    result = _measure(Options(seconds, participants, clip, engine))
    if as_json:
        typer.echo(json.dumps(result.as_json()))
    else:
        from rich.console import Console

        from monitor.bench.show import show

        show(result, Console())
    if out is not None:
        from monitor.bench.show import draw

        (out / "bench.json").write_text(json.dumps(result.as_json(), indent=1) + "\n")
        draw(result, out / "bench.png")


def _measure(options: Options) -> Result:
    from tempfile import TemporaryDirectory

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from monitor.bench.run import run

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        _terminable(),
        TemporaryDirectory(prefix="sidewitness-bench-") as folder,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("loading", total=1.0)
        return run(options, Path(folder), lambda part, done: progress.update(task, description=part, completed=done))


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that the processes that were started are let go then too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
