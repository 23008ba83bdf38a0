"""`sidewitness bench`: what this machine can do, each number next to its budget."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.extras import require
from engines.option import engine_option
from engines.registry import EngineName

if TYPE_CHECKING:
    from monitor.lab.bench.result import BenchResult
    from monitor.lab.bench.run import Options


Seconds = Annotated[float, typer.Option(help="Seconds of the live call that are measured.", min=1.0)]
Participants = Annotated[
    int | None,
    typer.Option(
        help="Participants of the live call, where a search begins (default: two a core, 8 at most).", min=1, max=64
    ),
]
TalkingClip = Annotated[
    Path | None, typer.Option(help="A talking face with sound (default: one of SIDEWITNESS_DATA, or a pattern).")
]
ChosenEngine = Annotated[EngineName, engine_option("What runs the encoders.")]
Cores = Annotated[
    int | None, typer.Option(help="Cores that the sidecar may use, the rest is the sender's (default: all).", min=1)
]
Engines = Annotated[bool, typer.Option("--engines", help="Time every encoder in every engine, by batch.")]
Capacity = Annotated[bool, typer.Option("--capacity", help="Find how many live participants this machine holds.")]
Overload = Annotated[
    bool, typer.Option("--overload", help="Load it twice over: --participants, else what --capacity finds.")
]
Soak = Annotated[
    float | None, typer.Option(metavar="MINUTES", help="Watch memory over so many minutes of virtual time.", min=1)
]
Processes = Annotated[
    int | None, typer.Option(help="Find how many this many judging processes hold, and how many one does.", min=2)
]
Curve = Annotated[
    int | None,
    typer.Option(metavar="N", help="Draw cores, age of scores and memory over 1 to N participants.", min=1, max=64),
]
Peer = Annotated[
    bool, typer.Option("--peer", help="Compare a scan's cost with SpeechForensics' way, with random weights.")
]
OnDatabase = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Measure the live call on this PostgreSQL too, in a schema of its own."),
]
OnRay = Annotated[
    bool, typer.Option("--ray", help="Measure the live call with hosts on Ray too: --processes of them, else one.")
]
Only = Annotated[bool, typer.Option("--only", help="Leave out the default parts: only what is asked for.")]
Compare = Annotated[
    Path | None, typer.Option(metavar="OLD.json", help="Show each number beside that of an earlier run.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path | None, typer.Option(help="Folder for bench.json and bench.png.", metavar="DIR")]


def command(
    seconds: Seconds = 20.0,
    participants: Participants = None,
    clip: TalkingClip = None,
    engine: ChosenEngine = "openvino",
    cores: Cores = None,
    engines: Engines = False,
    capacity: Capacity = False,
    overload: Overload = False,
    soak: Soak = None,
    processes: Processes = None,
    curve: Curve = None,
    peer: Peer = False,
    database: OnDatabase = None,
    ray: OnRay = False,
    only: Only = False,
    compare: Compare = None,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Measure this machine against the budgets.

    Starts a sidecar of its own on a free port, enrols the clip's person in a vault of its own and publishes to it over
    WebRTC, from another process; takes one core for a minute, then several. Leave the machine alone meanwhile. Being
    over a budget is not a failure.

    \b
    Example:
      sidewitness bench --clip talking.mp4 --out runs/bench
      sidewitness bench --only --capacity --overload --compare runs/bench/bench.json
      sidewitness bench --only --curve 8 --out runs/curve
      sidewitness bench --only --peer
    """  # noqa: D301
    require("bench", "bench", "psutil")
    if out is not None:
        require("bench --out", "bench", "matplotlib")
    _require(peer, database, ray)
    from monitor.lab.bench.run import Options

    # What cannot be read is told before the long work.
    earlier = _read(compare) if compare else None
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    parts = (not only, engines, capacity, overload, soak, processes, curve, peer, database, ray)
    result = _measure(Options(seconds, participants, clip, engine, cores, *parts))
    _report(result, earlier, as_json, out)


def _require(peer: bool, database: str | None, ray: bool) -> None:
    """Raise where an option needs an extra that is absent, or an address that is none."""
    if peer:
        require("bench --peer", "train", "torch")
    if ray:
        require("bench --ray", "cluster", "ray")
    if database is not None:
        require("bench --database", "postgres", "psycopg")
        from monitor.lab.bench.own_schema import check
        from monitor.storage.dialect import UnusableUrlError

        try:
            check(database)
        except UnusableUrlError as error:
            raise typer.BadParameter(f"--database: {error}: write postgresql+psycopg://USER@HOST/DATABASE") from None


def _report(result: BenchResult, earlier: Any, as_json: bool, out: Path | None) -> None:
    """Print the result beside that of an earlier run, if any, and write both to the folder `out`."""
    from monitor.lab.bench.comparison import compare

    report = result.as_json()
    compared = compare(earlier, report) if earlier is not None else None
    if compared is not None:
        report["comparison"] = compared.as_json()
    if as_json:
        typer.echo(json.dumps(report))
    else:
        from rich.console import Console

        from monitor.lab.bench.tables import show, show_comparison

        show(result, Console())
        if compared is not None:
            show_comparison(compared, Console())
    if out is not None:
        from monitor.lab.bench.plots import draw

        (out / "bench.json").write_text(json.dumps(report, indent=1) + "\n")
        draw(result, out / "bench.png")


def _read(path: Path) -> Any:
    from monitor.lab.bench.comparison import CompareError, compare

    try:
        old = json.loads(path.read_text())
    except ValueError:
        raise typer.BadParameter(f"{path} is not JSON: give the bench.json of an earlier --out") from None
    try:
        compare(old, old)
    except CompareError as error:
        raise typer.BadParameter(str(error)) from None
    return old


def _measure(options: Options) -> BenchResult:
    from tempfile import TemporaryDirectory

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from monitor.lab.bench.run import run

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
