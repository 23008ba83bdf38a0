"""The promise of the journal, kept by real processes: kill -9 loses no committed finding, and none is told before."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.typing import Subprotocol

TOKEN = "a-token-for-the-tests"
ROOT = Path(__file__).parents[3]
PATIENCE = 30.0

Told = dict[int, tuple[str, str]]


class Writer:
    """The process, and what it said it had told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: list[int] = []

    @classmethod
    async def start(cls, folder: Path) -> tuple[Writer, str]:
        command = (sys.executable, "-m", "tests.monitor.alerts.writer", str(folder), TOKEN)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        writer, base = cls(process), ""
        while not base.startswith("http"):
            line = await asyncio.wait_for(writer.line(), PATIENCE)
            assert line, "the writer ended before it was ready"
            base = line if line.startswith("http") else base
        return writer, base

    async def line(self) -> str:
        assert self.process.stdout is not None
        text = (await self.process.stdout.readline()).decode().strip()
        if text.isdecimal():
            self.told.append(int(text))
        return text

    async def run_until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.told) < count and await self.line():
                pass

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        while await self.line():
            pass
        assert await self.process.wait() == -signal.SIGKILL


async def follow(base: str, seen: Told, order: list[int], done: Callable[[int], bool] = lambda _: False) -> None:
    """Resume after the newest number seen and take findings until the connection breaks or `done`."""
    url = base.replace("http", "ws") + "/v1/alerts"
    with contextlib.suppress(ConnectionClosed, InvalidMessage, OSError):
        async with connect(url, subprotocols=[Subprotocol("sidewitness.alerts.v1")], proxy=None) as socket:
            await socket.send(json.dumps({"type": "subscribe", "token": TOKEN, "after": max(seen, default=0)}))
            async for text in socket:
                message = json.loads(text)
                assert message["type"] in ("hello", "finding")
                if message["type"] == "finding":
                    seen[message["seq"]] = (message["id"], message["action"])
                    order.append(message["seq"])
                    if done(message["seq"]):
                        return


def committed(folder: Path) -> Told:
    database = sqlite3.connect(folder / "journal.sqlite")
    try:
        return {seq: (name, action) for seq, name, action in database.execute("SELECT seq, id, action FROM findings")}
    finally:
        database.close()


@pytest.mark.parametrize("rounds", [2, pytest.param(8, marks=pytest.mark.long)])
async def test_killed_at_random_moments(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(20260301)
    seen: Told = {}
    order: list[int] = []
    told: list[int] = []
    for _ in range(rounds):
        writer, base = await Writer.start(tmp_path)
        client = asyncio.create_task(follow(base, seen, order))
        await writer.run_until(chance.randrange(1, 25))
        await writer.kill()
        await asyncio.wait_for(client, PATIENCE)
        kept = committed(tmp_path)
        told += writer.told
        assert set(writer.told) <= set(kept), "a finding was told that the journal does not hold"
        assert set(seen.items()) <= set(kept.items()), "a client was sent what the journal does not hold"

    last = max(committed(tmp_path))
    writer, base = await Writer.start(tmp_path)
    await asyncio.wait_for(follow(base, seen, order, lambda seq: seq > last), PATIENCE)
    await writer.kill()
    assert sorted(seen) == list(range(1, max(seen) + 1)), "a committed finding never reached the resuming client"
    assert max(seen) > last
    assert order == sorted(order)
    assert len(told) == len(set(told))
