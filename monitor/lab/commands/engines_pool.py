"""`sidewitness engines pool`: encoders for hosts without a GPU, in an actor of a Ray cluster, until it is stopped."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from engines.extras import require
from engines.option import engine_option
from engines.registry import EngineName, find_engine
from monitor.lab.commands.packs import Models

# Those that run all the time, on every participant: the encoders of lips and voices.
PACKS = ("speech_lips", "speech_voice")
TELL_SECONDS = 10.0


def command(
    engine: Annotated[EngineName, engine_option("The engine that the pool computes with.")] = "tensorrt",
    address: Annotated[
        str, typer.Option("--cluster", metavar="ADDRESS", help="The Ray cluster: `auto`, or HOST:6379.")
    ] = "auto",
    packs: Annotated[
        list[str] | None, typer.Option("--pack", metavar="NAME", help="A pack that it serves; may be repeated.")
    ] = None,
    gpus: Annotated[
        float | None, typer.Option(min=0.0, help="GPUs of a node (default: 1 where the engine is for GPUs).")
    ] = None,
    models: Models = None,
) -> None:
    """Have encoders computed in batches in one place of a Ray cluster, for hosts whose engine is `ray-pool`.

    Hosts ask it for the packs that it serves, whose models must be theirs, and compute the others, and all of them
    while it is gone, by themselves. It ends with this command. It was tried without a GPU only.

    \b
    Example:
      sidewitness engines pool --engine tensorrt --cluster auto
    """  # noqa: D301
    require("engines pool", "cluster")
    from engines.pool.on_ray import pool

    needed = gpus if gpus is not None else 1.0 if find_engine(engine).device == "gpu" else 0.0
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with pool(address, engine, packs or PACKS, needed, None if models is None else str(models.resolve())) as asked:
        typer.echo(f"the pool serves {', '.join(asked.serves())} by {engine}")
        while not stopped.wait(TELL_SECONDS):
            batches, rows, waited, dropped = asked.load()
            typer.echo(f"{batches} batches of {rows} rows, waited {waited:.3f} s (p95), {dropped} dropped")
