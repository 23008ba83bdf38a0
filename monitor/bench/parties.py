"""The two processes of a live measurement, the sidecar that is measured and the publisher: each ends with its block."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.bench.child import BenchError, environment, last_line, spawn, stop
from monitor.bench.exposition import Exposition
from monitor.bench.procfs import Usage, cpu_seconds, rss_bytes
from monitor.bench.publisher import request
from monitor.bench.witness import Witness

START_SECONDS = 30.0
CONNECT_SECONDS = 25.0
_GONE = "the sidecar ended while it was measured"
_READY = re.compile(r"is ready: (http://\S+?)/")

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A running server."""

    process: Process
    base: str
    token: str
    ready_seconds: float

    def usage(self) -> Usage:
        """Read processor times; raises `BenchError` when the process has ended."""
        try:
            return Usage.read(self.process.pid, time.monotonic())
        except OSError:
            raise BenchError(_GONE) from None

    def rss(self) -> int:
        """Read the resident bytes; raises `BenchError` when the process has ended."""
        try:
            return rss_bytes(self.process.pid)
        except (OSError, IndexError):
            raise BenchError(_GONE) from None

    async def numbers(self) -> Exposition:
        """Read `/metrics`."""
        body, _ = await asyncio.to_thread(request, "GET", f"{self.base}/metrics", self.token)
        return Exposition.parse(body)


@contextlib.asynccontextmanager
async def sidecar(folder: Path, places: int, engine: str) -> AsyncIterator[Sidecar]:
    """Run `sidewitness serve` with default settings on a free port; raises `BenchError` when it does not start."""
    token, errors = secrets.token_urlsafe(24), folder / "sidecar.log"
    env = environment(
        SIDEWITNESS_TOKEN=token,
        SIDEWITNESS_STATE_DIR=str(folder / "state"),
        SIDEWITNESS_MAX_PARTICIPANTS=str(max(places, 8)),
        SIDEWITNESS_ENGINE=engine,
        SIDEWITNESS_LOG_LEVEL="error",
    )
    began = time.monotonic()
    process = await spawn("monitor.bench.child", "serve", "--port", "0", errors=errors, env=env)
    try:
        base = await _ready(process, errors)
        yield Sidecar(process, base, token, time.monotonic() - began)
    finally:
        await stop(process)


async def _ready(process: Process, errors: Path) -> str:
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := await _line(process):
                if found := _READY.search(line):
                    return found.group(1)
    except TimeoutError:
        raise BenchError(f"the sidecar was not ready within {START_SECONDS:g} s") from None
    raise BenchError(f"the sidecar did not start: {last_line(errors)}")


async def _line(process: Process) -> str:
    return (await process.stdout.readline()).decode(errors="replace") if process.stdout else ""


@dataclass(slots=True)
class Sender:
    """The publishing process."""

    process: Process
    late: float = 0.0

    def cpu(self) -> float:
        """Processor time so far; 0 when it has ended."""
        try:
            return cpu_seconds(self.process.pid)
        except OSError:
            return 0.0


@contextlib.asynccontextmanager
async def publisher(
    stream: Path, server: Sidecar, participants: int, folder: Path, witness: Witness, tell: Tell
) -> AsyncIterator[Sender]:
    """Publish in another process; raises `BenchError` unless everybody connects."""
    errors = folder / "publisher.log"
    process = await spawn(
        "monitor.bench.publisher",
        str(stream),
        server.base,
        str(participants),
        errors=errors,
        env=environment(SIDEWITNESS_TOKEN=server.token),
        stdin=True,
    )
    sender = Sender(process)
    try:
        tell("connecting", 0.0)
        await _connected(process, participants, errors, witness)
        async with background(_events(process, sender, witness)) as listening:
            yield sender
            if process.stdin is not None:
                process.stdin.close()
            await asyncio.wait([listening], timeout=CONNECT_SECONDS)
    finally:
        await stop(process)


async def _connected(process: Process, participants: int, errors: Path, witness: Witness) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS * participants):
            while line := await _line(process):
                event = json.loads(line)
                if event["event"] == "failed":
                    raise BenchError(event["why"])
                _note(event, witness)
                if event["event"] == "connected":
                    return
    except TimeoutError:
        raise BenchError("the publisher did not connect in time") from None
    raise BenchError(f"the publisher failed: {last_line(errors)}")


async def _events(process: Process, sender: Sender, witness: Witness) -> None:
    while line := await _line(process):
        event = json.loads(line)
        _note(event, witness)
        if event["event"] == "late":
            sender.late = event["seconds"]


def _note(event: dict[str, Any], witness: Witness) -> None:
    if event["event"] == "media":
        witness.media[event["participant"]] = event["at"]


@contextlib.asynccontextmanager
async def background(work: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run a coroutine beside the block; it is cancelled at the block's end."""
    task: asyncio.Task[None] = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
