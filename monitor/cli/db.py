"""`sidewitness db`: bring databases up to date, check what they hold, copy one into another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.identities import AsJson, Config, print_table

if TYPE_CHECKING:
    from monitor.cli.databases.checking import PartState, Verified
    from monitor.cli.databases.copying import Copied
    from monitor.cli.databases.places import Place
    from monitor.config import Settings

app = typer.Typer(
    help="Bring databases up to date, check what they hold, copy one into another.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

WHICH = "sqlite (the files in state_dir), postgresql (the setting database_url), a folder, or an address."
Where = Annotated[str | None, typer.Option("--database", metavar="WHERE", help=f"Another than the settings': {WHICH}")]


@app.command("upgrade")
def upgrade(database: Where = None, config: Config = None, as_json: AsJson = False) -> None:
    """Make the tables, or bring them to this version; `serve` does that by itself when it starts.

    On several machines run it once before the new version is started anywhere: an older one goes on beside it only as
    long as the notes of the release say so.

    \b
    Example:
      sidewitness db upgrade --json
    """  # noqa: D301
    from monitor.cli.databases.checking import states
    from monitor.cli.databases.places import opened
    from monitor.cli.databases.upgrading import upgrade as bring_up

    settings, place = _place(config, database)
    with opened(place) as databases:
        before = {state.name: state.revision for state in states(databases)}
        bring_up(settings, place, databases)
        after = states(databases)
    if as_json:
        parts = [{"part": one.name, "from": before[one.name], "to": one.revision} for one in after]
        typer.echo(json.dumps({"database": place.kind, "parts": parts}))
        return
    print_table("Tables", ("part", "was", "is"), ((one.name, before[one.name], one.revision) for one in after))


@app.command("check")
def check(database: Where = None, config: Config = None, as_json: AsJson = False) -> None:
    """Check that the database can be used, that its tables are of this version, and that every chain holds.

    Exit status 1 where anything is wrong.

    \b
    Example:
      sidewitness db check --json
    """  # noqa: D301
    from monitor.cli.databases import checking
    from monitor.cli.databases.places import opened

    settings, place = _place(config, database)
    with opened(place) as databases:
        parts = checking.states(databases)
        faults = [f"{one.name}: tables of another version: run `sidewitness db upgrade`" for one in parts if one.is_old]
        warnings = checking.server_warnings(databases.journal)
        if not faults:
            unwritable = checking.writable(settings, place, databases, parts)
            faults += [unwritable] if unwritable is not None else []
    verified = checking.verify(settings, place) if not faults else None
    faults += verified.faults if verified is not None else []
    if as_json:
        typer.echo(json.dumps(_checked(place, parts, verified, faults, warnings)))
    else:
        _show(place, parts, verified, warnings)
        if faults:
            typer.echo(f"error: {'; '.join(faults)}", err=True)
    if faults:
        raise typer.Exit(1)


@app.command("copy")
def copy(
    source: Annotated[str, typer.Option("--from", metavar="WHERE", help=f"What is copied: {WHICH}")],
    target: Annotated[str, typer.Option("--to", metavar="WHERE", help="Where to: the same; it must be empty.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Copy everything, findings, cases, tokens and the vault, into another database, and verify it there.

    Stop the sidecars first: what they write meanwhile waits, and is not copied. Keys are not in the database: keep the
    master key and the token key where they are.

    \b
    Example:
      SIDEWITNESS_DATABASE_URL=postgresql+psycopg://db/sidewitness sidewitness db copy --from sqlite --to postgresql
    """  # noqa: D301
    from monitor.cli.databases import checking, copying
    from monitor.cli.databases.places import place_named
    from monitor.config import ConfigError
    from monitor.storage.tenancy.command import load

    settings = load(config)
    old, new = place_named(source, settings), place_named(target, settings)
    if copying.is_same(old, new):
        raise ConfigError("--from and --to are the same database: name two")
    copied = _copy(old, new)
    verified = checking.verify(settings, new)
    if as_json:
        told = {"from": old.kind, "to": new.kind, "rows": copied.rows, "absent": list(copied.absent)}
        typer.echo(json.dumps({**told, **verified.as_json(), "faults": verified.faults, "ok": not verified.faults}))
    else:
        print_table("Copied", ("table", "rows"), copied.rows.items())
        _tell_chains(verified)
        if verified.faults:
            typer.echo(f"error: copied, and as wrong as it was: {'; '.join(verified.faults)}", err=True)
    if verified.faults:
        raise typer.Exit(1)


def _copy(old: Place, new: Place) -> Copied:
    """Copy with a bar for each table, on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from monitor.cli.databases import copying

    planned, console = copying.plan(old), Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks = {name: bars.add_task(name, total=count) for name, count in planned.rows.items()}
        return copying.copy(old, new, lambda name, done: bars.advance(tasks[name], done))


def _place(config: Path | None, database: str | None) -> tuple[Settings, Place]:
    from monitor.cli.databases.places import place_named, place_of
    from monitor.storage.tenancy.command import load

    settings = load(config)
    return settings, place_of(settings) if database is None else place_named(database, settings)


def _checked(
    place: Place, parts: list[PartState], verified: Verified | None, faults: list[str], warnings: list[str]
) -> dict[str, Any]:
    rows = [
        {"part": one.name, "state": one.state, "revision": one.revision, "newest": one.newest, "rows": one.rows}
        for one in parts
    ]
    told: dict[str, Any] = {"chains": {}, "unsigned": None} if verified is None else verified.as_json()
    return {"database": place.kind, "parts": rows, **told, "faults": faults, "warnings": warnings, "ok": not faults}


def _show(place: Place, parts: list[PartState], verified: Verified | None, warnings: list[str]) -> None:
    rows = ((one.name, one.state, one.revision, sum(one.rows.values())) for one in parts)
    print_table(f"Database: {place.kind}", ("part", "state", "revision", "rows"), rows)
    for warning in warnings:
        typer.echo(f"note: {warning}", err=True)
    if verified is not None:
        _tell_chains(verified)


def _tell_chains(verified: Verified) -> None:
    rows = (
        (name, held.rows, "holds" if not held.faults else "broken", held.head) for name, held in verified.chains.items()
    )
    print_table("Chains", ("chain", "rows", "", "head"), rows)
    if verified.unsigned is not None:
        typer.echo(f"note: who wrote it was not checked: {verified.unsigned}", err=True)
