"""`sidewitness sinks`: where findings are delivered to, how far each has come, what it refused; try one, send again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.identities import AsJson, Config, print_table

if TYPE_CHECKING:
    from monitor.alerts.journal import Journal
    from monitor.config import Settings

app = typer.Typer(
    help="List and try alert sinks, send findings again, show what was refused.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The sink's name in the settings, else its kind.")]


@app.command("list")
def list_sinks(config: Config = None, as_json: AsJson = False) -> None:
    """List the sinks of the settings: how far each has come, what waits, and what it refused for good.

    \b
    Example:
      sidewitness sinks list --config sidewitness.yaml
    """  # noqa: D301
    from monitor.alerts.sinks.cursors import Cursors
    from monitor.alerts.sinks.dead import DeadLetters

    with _open_journal(config) as (settings, journal):
        head, cursors, letters = journal.head(), Cursors(journal), DeadLetters(journal)
        rows = []
        for chosen in settings.sinks:
            name = chosen.name or chosen.kind
            cursor = cursors.read(name)
            waiting = None if cursor is None else max(0, head.seq - cursor)
            dead = letters.count(name)
            rows.append({"name": name, "kind": chosen.kind, "cursor": cursor, "waiting": waiting, "dead_letters": dead})
    if as_json:
        typer.echo(json.dumps({"sinks": rows, "newest": head.seq}))
        return
    print_table("Sinks", ("name", "kind", "cursor", "waiting", "dead letters"), (tuple(row.values()) for row in rows))


@app.command("test")
def try_sink(name: Name, config: Config = None, as_json: AsJson = False) -> None:
    """Send a finding of a test, opened and closed, and wait until the receiver has accepted it.

    Its call and participant are named sidewitness-test, nobody is claimed, and its number is 0. The sink's cursor stays
    where it is.

    \b
    Example:
      sidewitness sinks test slack --config sidewitness.yaml
    """  # noqa: D301
    from monitor.alerts.sinks.trial import send_trial
    from monitor.storage.tenancy.command import load

    finding = asyncio.run(send_trial(load(config), name))
    if as_json:
        typer.echo(json.dumps({"sink": name, "accepted": True, "finding": finding}))
    else:
        typer.echo(f"{name} has accepted the test finding {finding}")


@app.command("replay")
def replay(
    name: Name,
    after: Annotated[int, typer.Option(min=0, help="Send everything behind this number again; 0 is all that is kept.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send findings again, dead letters too. A running server begins within seconds; receivers deduplicate by seq.

    \b
    Example:
      sidewitness sinks replay splunk --after 1200
    """  # noqa: D301
    from monitor.alerts.sinks.cursors import Cursors
    from monitor.config import ConfigError

    with _open_journal(config) as (settings, journal):
        newest, cursors = journal.head().seq, Cursors(journal)
        if after > newest:
            raise ConfigError(f"the newest finding is {newest}: give --after that number or less")
        if not cursors.replay(name, after):
            known(settings, name)
            cursors.begin(name, after)
    if as_json:
        typer.echo(json.dumps({"sink": name, "after": after, "waiting": newest - after}))
    else:
        typer.echo(f"{name} goes on after {after}: {newest - after} findings wait for it")


@app.command("dead")
def dead(
    name: Name,
    after: Annotated[int, typer.Option(min=0, help="Those with numbers above this.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="At most so many.")] = 1000,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the dead letters of a sink: what it refused for good, and why. `sinks replay` sends them again.

    \b
    Example:
      sidewitness sinks dead splunk --json
    """  # noqa: D301
    from monitor.alerts.sinks.cursors import Cursors
    from monitor.alerts.sinks.dead import DeadLetters

    with _open_journal(config) as (settings, journal):
        if Cursors(journal).read(name) is None:
            known(settings, name)
        letters = DeadLetters(journal).list(name, after, limit)
        rows = [{**asdict(letter), **_finding(journal, letter.seq)} for letter in letters]
    if as_json:
        typer.echo(json.dumps({"dead_letters": rows}))
        return
    keys = ("seq", "time", "why", "finding", "action")
    print_table("Dead letters", keys, (tuple(row[key] for key in keys) for row in rows))


def known(settings: Settings, name: str) -> None:
    """Raise `ConfigError` where no sink of the settings has this name."""
    from monitor.config import ConfigError

    names = [chosen.name or chosen.kind for chosen in settings.sinks]
    if name not in names:
        listed = ", ".join(names) or "none: name the settings file with --config"
        raise ConfigError(f"no sink is named {name!r}: there are {listed}")


def _finding(journal: Journal, seq: int) -> dict[str, Any]:
    """Return the id and the action of a finding; None where the journal keeps it no more."""
    from monitor.alerts.journal import Entry

    kept = [row.finding for row in journal.read(seq - 1, 1) if isinstance(row, Entry) and row.seq == seq]
    return {"finding": kept[0].id if kept else None, "action": kept[0].action if kept else None}


@contextmanager
def _open_journal(config: Path | None) -> Iterator[tuple[Settings, Journal]]:
    from monitor.alerts.journal import Journal
    from monitor.config import prepare_state_dir
    from monitor.storage.tenancy.command import load

    settings = load(config)
    prepare_state_dir(settings.state_dir)
    journal = Journal(settings.journal_url, settings.findings_kept)
    try:
        journal.open()
        yield settings, journal
    finally:
        journal.close()
