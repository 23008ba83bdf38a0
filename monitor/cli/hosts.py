"""`sidewitness hosts`: list the processes that judge, and have one, or all, let go and begun anew."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from monitor.cli.identities import AsJson, Config, print_table
from monitor.cli.sources import Server, Url

app = typer.Typer(
    help="Processes that judge: list them, and have them begun anew.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

POLL_SECONDS = 0.5
COLUMNS = ("host", "phase", "seconds", "participants", "full", "cores_used", "starts", "node", "why")

Wait = Annotated[float, typer.Option(min=0.0, max=86400.0, help="Seconds to wait until it is done.")]


@app.command("list")
def list_hosts(url: Url = None, config: Config = None, as_json: AsJson = False) -> None:
    """List the hosts of a running server and how they are doing. Takes SIDEWITNESS_TOKEN, or the token in its file.

    \b
    Example:
      sidewitness hosts list
    """  # noqa: D301
    told = Server.of(config, url).hosts()
    if as_json:
        typer.echo(json.dumps(told))
        return
    print_table("Hosts", COLUMNS, (tuple(row[key] for key in COLUMNS) for row in told["hosts"]))
    capacity = told["capacity"]
    if capacity["hosts_wanted"] is not None:
        typer.echo(
            f"{capacity['participants']} participants at {capacity['cores_per_participant']} cores each: "
            f"{capacity['participants_fit']} more fit, {capacity['hosts_wanted']} hosts are wanted"
        )


@app.command("drain")
def drain(
    host: Annotated[int, typer.Argument(metavar="NUMBER", min=0, help="The host, as `sidewitness hosts list` has it.")],
    wait: Wait = 180.0,
    url: Url = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Have a host take nobody new, its participants go on elsewhere, and the host begun anew.

    It is begun from the code and the model packs that are installed now. Exit status 1 where it is not done.

    \b
    Example:
      sidewitness hosts drain 0
    """  # noqa: D301
    _renew(Server.of(config, url), host, wait, as_json)


@app.command("roll")
def roll(wait: Wait = 3600.0, url: Url = None, config: Config = None, as_json: AsJson = False) -> None:
    """Have every host begun anew, one after the other; the next is let go when the one before judges again.

    They are begun from the code and the model packs that are installed now. Exit status 1 where it is not done.

    \b
    Example:
      sidewitness hosts roll
    """  # noqa: D301
    _renew(Server.of(config, url), None, wait, as_json)


def follow(
    server: Server, host: int | None, wait: float, pause: Callable[[float], None], clock: Callable[[], float]
) -> Iterator[dict[str, Any]]:
    """Have a host, or all, begun anew, and give what the server says of it until it is done, for `wait` seconds.

    Raises `NoAnswerError`.
    """
    began, told = clock(), server.renew_hosts(host)
    yield told
    while not is_over(told) and clock() - began < wait:
        pause(POLL_SECONDS)
        told = server.hosts()
        yield told


def is_over(told: dict[str, Any]) -> bool:
    """Whether no host waits to be let go, and none is."""
    return told["rolling"]["now"] is None and not told["rolling"]["waiting"]


def _renew(server: Server, host: int | None, wait: float, as_json: bool) -> None:
    told: dict[str, Any] = {}
    shown: dict[int, str] = {}
    for told in follow(server, host, wait, time.sleep, time.monotonic):
        for row in () if as_json else told["hosts"]:
            if shown.get(row["host"]) != row["phase"]:
                shown[row["host"]] = row["phase"]
                typer.echo(f"host {row['host']}: {row['phase']}, {row['participants']} participants")
    if as_json:
        typer.echo(json.dumps(told))
    why = told["rolling"]["why"] or (None if is_over(told) else "not done yet: see `sidewitness hosts list`")
    if why is not None:
        typer.echo(why, err=True)
        raise typer.Exit(1)
