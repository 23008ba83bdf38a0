"""`sidewitness drill`: a marked finding the whole way through policy and sinks, and how long each sink took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from monitor.cli.identities import AsJson, Config, print_table
from monitor.cli.sources import Server, Url

POLL_SECONDS = 0.25


def command(
    call: Annotated[str | None, typer.Option(metavar="CALL", help="Practise what holds for this call.")] = None,
    identity: Annotated[
        str | None, typer.Option(metavar="NAME", help="Practise what holds for this enrolled person.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0.0, max=600.0, help="Seconds to wait for the sinks.")] = 60.0,
    url: Url = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send a drill through a running server: every message says DRILL, nothing is done in any call.

    Prints how long each sink took to accept it. Exit status 1 where one has not. Takes SIDEWITNESS_TOKEN, or the token
    in its file.

    \b
    Example:
      sidewitness drill --call board
    """  # noqa: D301
    told = follow(Server.of(config, url), call, identity, wait, time.sleep, time.monotonic)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _print(told)
    if not told["finished"]:
        raise typer.Exit(1)


def follow(
    server: Server,
    call: str | None,
    identity: str | None,
    wait: float,
    pause: Callable[[float], None],
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Begin a drill and ask until every sink has accepted it, for `wait` seconds at most; raises `NoAnswerError`."""
    began = clock()
    order = {name: value for name, value in (("call", call), ("identity", identity)) if value is not None}
    told = server.begin_drill(order)
    while not told["finished"] and clock() - began < wait:
        pause(POLL_SECONDS)
        told = server.drill(told["id"])
    return told


def _print(told: dict[str, Any]) -> None:
    typer.echo(f"DRILL {told['id']}: groups {', '.join(told['groups']) or 'none'}")
    rows = [(one["sink"], "not yet" if one["seconds"] is None else f"{one['seconds']:.3f} s") for one in told["sinks"]]
    print_table("Sinks", ("sink", "accepted after"), rows)
    for group, why in told["held"].items():
        typer.echo(f"{group} holds back: {why.replace('_', ' ')}")
    for action in told["actions"]:
        typer.echo(f"{action['action'].replace('_', ' ')}: {action['link'] or action['id']}")
    if not told["sinks"]:
        typer.echo("no sink is told: see the setting sinks, and notify in the policy")
