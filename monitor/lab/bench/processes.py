"""The two processes of a live measurement, the sidecar that is measured and the publisher: each ends with its block."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from monitor.lab.bench.child import BenchError, environment, last_line, on, spawn, stop
from monitor.lab.bench.enrolment import state_of
from monitor.lab.bench.exposition import Exposition
from monitor.lab.bench.observations import Observer
from monitor.lab.bench.process_usage import Usage, cpu_seconds, tree_rss_bytes
from monitor.lab.bench.publisher import request

START_SECONDS = 30.0
CONNECT_SECONDS = 25.0
_GONE = "the sidecar ended while it was measured"
_READY = re.compile(r"is ready: (http://\S+?)/")
_HEALTH = re.compile(r"Health and metrics: (http://\S+?)/")

Progress = Callable[[str, float], None]


class SidecarFull(BenchError):  # noqa: N818 - a refusal, not a failure
    """The sidecar has no room for all who were to be published."""


@dataclass(frozen=True, slots=True)
class BenchSetup:
    """Where a benchmark runs, and how: `cores` are what its sidecar is kept to, `identity` is whom everybody claims.

    So many `processes` of it judge. `settings` are what it is told besides, by the names of the environment; the trees
    of the processes `also` are what it has work for it elsewhere, and count as its own.
    """

    folder: Path
    engine: str = "openvino"
    identity: str | None = None
    cores: frozenset[int] | None = None
    processes: int = 1
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    also: tuple[int, ...] = ()

    @property
    def rest(self) -> frozenset[int] | None:
        """The cores of this process that are left to the publisher; None, all of them, where none are left."""
        return None if self.cores is None else frozenset(os.sched_getaffinity(0)) - self.cores or None


@dataclass(frozen=True, slots=True)
class SidecarProcess:
    """A running server."""

    process: Process
    base: str
    health: str
    token: str
    ready_seconds: float
    also: tuple[int, ...] = ()

    def usage(self) -> Usage:
        """Read processor times; raises `BenchError` when the process has ended."""
        try:
            return Usage.read(self.process.pid, time.monotonic(), *self.also)
        except psutil.Error:
            raise BenchError(_GONE) from None

    def rss(self) -> int:
        """Read the resident bytes of all its processes; raises `BenchError` when it has ended."""
        try:
            return sum(map(tree_rss_bytes, (self.process.pid, *self.also)))
        except psutil.Error:
            raise BenchError(_GONE) from None

    async def numbers(self) -> Exposition:
        """Read `/metrics` of the operator."""
        body, _ = await asyncio.to_thread(request, "GET", f"{self.health}/metrics", self.token)
        return Exposition.parse(body)


@contextlib.asynccontextmanager
async def sidecar(setup: BenchSetup, places: int) -> AsyncIterator[SidecarProcess]:
    """Run `sidewitness serve` with default settings on a free port; raises `BenchError` when it does not start."""
    token, errors = secrets.token_urlsafe(24), setup.folder / "sidecar.log"
    env = environment(
        SIDEWITNESS_TOKEN=token,
        SIDEWITNESS_STATE_DIR=str(state_of(setup.folder)),
        SIDEWITNESS_MAX_PARTICIPANTS=str(max(places, 8)),
        SIDEWITNESS_ENGINE=setup.engine,
        SIDEWITNESS_PROCESSES=str(setup.processes),
        SIDEWITNESS_LOG_LEVEL="error",
        **setup.settings,
        **on(setup.cores),
    )
    began = time.monotonic()
    process = await spawn("monitor.lab.bench.child", "serve", "--port", "0", errors=errors, env=env)
    try:
        base, health = await _ready(process, errors)
        yield SidecarProcess(process, base, health, token, time.monotonic() - began, setup.also)
    finally:
        await stop(process)


async def _ready(process: Process, errors: Path) -> tuple[str, str]:
    base = ""
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := await _line(process):
                if found := _READY.search(line):
                    base = found.group(1)
                if found := _HEALTH.search(line):
                    return base, found.group(1)
    except TimeoutError:
        raise BenchError(f"the sidecar was not ready within {START_SECONDS:g} s") from None
    raise BenchError(f"the sidecar did not start: {last_line(errors)}")


async def _line(process: Process) -> str:
    return (await process.stdout.readline()).decode(errors="replace") if process.stdout else ""


@dataclass(slots=True)
class PublisherProcess:
    """The publishing process; `refused` are those whom the sidecar had no room for."""

    process: Process
    late: float = 0.0
    refused: int = 0

    def cpu(self) -> float:
        """Processor time so far; 0 when it has ended."""
        try:
            return cpu_seconds(self.process.pid)
        except psutil.Error:
            return 0.0

    def go(self) -> None:
        """Let a held publisher send."""
        if self.process.stdin is not None:
            self.process.stdin.write(b"go\n")


@contextlib.asynccontextmanager
async def publisher(
    stream: Path,
    server: SidecarProcess,
    people: range,
    setup: BenchSetup,
    observer: Observer,
    progress: Progress,
    held: bool = False,
) -> AsyncIterator[PublisherProcess]:
    """Publish the participants of these numbers in another process; raises `BenchError` unless everybody connects.

    That is `SidecarFull` where the sidecar had no room. A `held` one goes on with those who were taken in, and sends
    nothing before `go`.
    """
    errors = setup.folder / f"publisher-{people.start}.log"
    identity = [] if setup.identity is None else ["--identity", setup.identity]
    process = await spawn(
        "monitor.lab.bench.publisher",
        *(str(stream), server.base, str(len(people)), "--first", str(people.start)),
        *identity,
        *(["--held"] if held else []),
        errors=errors,
        env=environment(SIDEWITNESS_TOKEN=server.token, **on(setup.rest)),
        stdin=True,
    )
    sender = PublisherProcess(process)
    try:
        progress("connecting", 0.0)
        await _connected(sender, len(people), errors, observer)
        async with background(_events(sender, observer)) as listening:
            yield sender
            if process.stdin is not None:
                process.stdin.close()
            await asyncio.wait([listening], timeout=CONNECT_SECONDS)
    finally:
        await stop(process)


async def _connected(sender: PublisherProcess, participants: int, errors: Path, observer: Observer) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS * participants):
            while line := await _line(sender.process):
                event = json.loads(line)
                if event["event"] == "failed":
                    raise (SidecarFull if event["full"] else BenchError)(event["why"])
                _note(event, sender, observer)
                if event["event"] == "connected":
                    return
    except TimeoutError:
        raise BenchError("the publisher did not connect in time") from None
    raise BenchError(f"the publisher failed: {last_line(errors)}")


async def _events(sender: PublisherProcess, observer: Observer) -> None:
    while line := await _line(sender.process):
        _note(json.loads(line), sender, observer)


def _note(event: dict[str, Any], sender: PublisherProcess, observer: Observer) -> None:
    match event["event"]:
        case "media":
            observer.media[event["participant"]] = event["at"]
        case "refused":
            sender.refused += 1
        case "late":
            sender.late = event["seconds"]


@contextlib.asynccontextmanager
async def background(work: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run a coroutine beside the block; it is cancelled at the block's end."""
    task: asyncio.Task[None] = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
