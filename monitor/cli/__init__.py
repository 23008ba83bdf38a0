"""The command `sidewitness`: registers the commands and turns every failure into one line on stderr.

Exit status: 0 done, 1 the work failed, 2 bad usage, 130 interrupted. No traceback ever reaches a person, except in
Python's development mode (`python -X dev -m monitor.cli ...`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Annotated, Final

import typer

# Read when numpy is imported. Participants are judged in threads of ours already: more would only take turns.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from engines.errors import SidewitnessError
from monitor.cli import (
    db,
    doctor,
    drill,
    enroll,
    findings,
    hosts,
    identities,
    plan,
    policy,
    reports,
    scan,
    serve,
    sinks,
    sources,
    tokens,
)
from monitor.lab.commands import bench, engines, evaluate, train
from monitor.storage.tenancy import command
from monitor.storage.tenancy.names import DEFAULT_TENANT

DONE: Final = 0
FAILED: Final = 1
BAD_USAGE: Final = 2
INTERRUPTED: Final = 130

# Every usage error derives from this one; typer exports only some of them by name.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="sidewitness",
    help="Joins live video calls as a silent witness and catches deepfaked participants while the call runs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.command)
app.command("scan")(scan.command)
app.command("enroll")(enroll.command)
app.command("evaluate")(evaluate.command)
app.add_typer(train.app, name="train")
app.command("bench")(bench.command)
app.command("doctor")(doctor.command)
app.add_typer(engines.app, name="engines")
app.add_typer(identities.app, name="identities")
app.add_typer(findings.app, name="findings")
app.add_typer(reports.app, name="report")
app.add_typer(sinks.app, name="sinks")
app.command("drill")(drill.command)
app.add_typer(policy.app, name="policy")
app.command("plan")(plan.command)
app.add_typer(tokens.app, name="tokens")
app.add_typer(sources.app, name="sources")
app.add_typer(hosts.app, name="hosts")
app.add_typer(db.app, name="db")


def _print_version(requested: bool) -> None:
    if requested:
        try:
            typer.echo(installed_version("sidewitness"))
        except PackageNotFoundError:
            raise ImportError("sidewitness runs from its source and is not installed") from None
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    of: Annotated[
        str | None,
        typer.Option(
            "--tenant",
            metavar="NAME",
            envvar=command.VARIABLE,
            help="Whose findings, identities, tokens and sinks a command is about (default: the default tenant's).",
        ),
    ] = None,
) -> None:
    command.chosen.set(of or DEFAULT_TENANT)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status."""
    try:
        status = app(list(arguments), prog_name="sidewitness", standalone_mode=False)
    except UsageError as error:
        return _print_usage_error(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has left; keep the interpreter from flushing into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        return _print_error(describe(error), error.exit_status if isinstance(error, SidewitnessError) else FAILED)
    return status if isinstance(status, int) else DONE


def describe(error: Exception) -> str:
    """One line that says what went wrong and, where that is known, what to do."""
    if isinstance(error, SidewitnessError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    if isinstance(error, ImportError):
        return f"{error}: reinstall sidewitness, or run `sidewitness doctor` to see what is missing"
    return f"internal error ({type(error).__name__}: {error}): please report it"


def main() -> None:
    """Entry point of the console script."""
    raise SystemExit(run(sys.argv[1:]))


def _print_usage_error(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "sidewitness"
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        typer.echo(context.get_help(), err=True)
        return BAD_USAGE
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return _print_error(f"{message.rstrip('.')} (see `{path} --help`)", BAD_USAGE)


def _print_error(message: str, status: int) -> int:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    return status


if __name__ == "__main__":
    main()
