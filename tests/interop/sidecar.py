"""The sidecar as a process of its own: what it says of everybody, and what it holds on to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.interop.counted import PREFIX

TOKEN = "an-interoperability-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PROTOCOL = "sidewitness.alerts.v1"
CALL = "interop"
READY_SECONDS = 60.0
# Shorter than by default, longer than any outage that is tried.
LEAVE_SECONDS = 8.0
POLL_SECONDS = 0.02

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Holdings:
    """What the process holds: threads that are not of pools, sockets, asyncio tasks by the name of their coroutine."""

    threads: int
    sockets: int
    tasks: dict[str, int]


@dataclass
class Sidecar:
    """A running sidecar and everything that its subscribers were told."""

    url: str
    process: asyncio.subprocess.Process
    states: dict[str, list[JsonObject]] = field(default_factory=lambda: defaultdict(list))
    findings: list[JsonObject] = field(default_factory=list)
    unmonitored: list[JsonObject] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def endpoint(self, participant: str) -> str:
        """The WHIP endpoint of a participant."""
        return f"{self.url}/v1/calls/{CALL}/participants/{participant}/whip"

    async def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until a condition holds over what was said; fails with the last words where it never does."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            last = {name: (said[-1]["verdict"], said[-1]["reason"]) for name, said in self.states.items() if said}
            raise AssertionError(f"not within {seconds:g} s: {what}; the last states were {last}") from None

    async def present(self) -> list[str]:
        """Who is judged now."""
        async with httpx.AsyncClient(headers=BEARER, timeout=10) as client:
            answer = (await client.get(f"{self.url}/v1/calls")).raise_for_status().json()
        return [who["participant"] for call in answer["calls"] for who in call["participants"]]

    async def gone(self, participant: str, seconds: float) -> float:
        """Wait until somebody is not judged any more; gives how long it took."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while participant in await self.present():  # noqa: ASYNC110 - another process says it
                await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - began

    async def holdings(self) -> Holdings:
        """What the process holds now."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        while not (line := (await self.process.stdout.readline()).decode()).startswith(PREFIX):
            assert line, "the sidecar has ended"
        held = json.loads(line.removeprefix(PREFIX))
        folder = Path(f"/proc/{self.process.pid}")
        return Holdings(
            len(list((folder / "task").iterdir())) - held["pooled"],
            sum(_is_socket(path) for path in (folder / "fd").iterdir()),
            held["tasks"],
        )

    async def nothing_left(self, before: Holdings, seconds: float = 10.0) -> None:
        """Wait until the process holds no more than before; fails with what is left where it never does."""
        now = before
        try:
            async with asyncio.timeout(seconds):
                while _more(now := await self.holdings(), before):  # noqa: ASYNC110 - another process says it
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"left behind: {_more(now, before)}") from None

    async def listen(self, alerts: ClientConnection) -> None:
        """Note what subscribers are told."""
        async for text in alerts:
            message = json.loads(text)
            if message["type"] == "state":
                self.states[message["participant"]].append(message)
            elif message["type"] == "finding":
                self.findings.append(message)
            elif message["type"] == "unmonitored":
                self.unmonitored.append(message)
            self._news.set()


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:
        return False


def _more(now: Holdings, before: Holdings) -> str:
    """What there is more of, as text; empty where there is nothing."""
    tasks = {name: count for name, count in now.tasks.items() if count > before.tasks.get(name, 0)}
    texts = [
        f"{now.threads - before.threads} threads" if now.threads > before.threads else "",
        f"{now.sockets - before.sockets} sockets" if now.sockets > before.sockets else "",
        f"tasks {tasks}" if tasks else "",
    ]
    return ", ".join(text for text in texts if text)


def free_port(host: str = "127.0.0.1") -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def local_address() -> str:
    """The IPv4 address of this machine that others reach it by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # No packet is sent: only a route is looked up. The address is one of documentation (RFC 5737).
        probe.connect(("198.51.100.1", 9))
        address: str = probe.getsockname()[0]
        return address


@contextlib.asynccontextmanager
async def sidecar(folder: Path, **settings: str) -> AsyncIterator[Sidecar]:
    """Start a sidecar, subscribe to all that it says, and stop it again; its exit status must be 0."""
    named = {f"SIDEWITNESS_{name.upper()}": value for name, value in settings.items()}
    defaults = {
        "SIDEWITNESS_PORT": "0",
        "SIDEWITNESS_TOKEN": TOKEN,
        "SIDEWITNESS_STATE_DIR": str(folder),
        "SIDEWITNESS_LEAVE_SECONDS": str(LEAVE_SECONDS),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.interop.counted",
        "serve",
        env={**os.environ, **defaults, **named},
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)).decode()
        assert "ready" in line, line
        made = Sidecar(line.split("ready: ")[1].split("/ ")[0].strip().rstrip("/"), process)
        address = made.url.replace("http", "ws") + "/v1/alerts"
        async with connect(address, subprotocols=[PROTOCOL], max_queue=None, proxy=None) as alerts:  # type: ignore[list-item]
            await alerts.send(json.dumps({"type": "subscribe", "token": TOKEN, "after": None, "states": True}))
            assert json.loads(await alerts.recv())["type"] == "hello"
            listening = asyncio.create_task(made.listen(alerts))
            yield made
            listening.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    assert process.returncode == 0
