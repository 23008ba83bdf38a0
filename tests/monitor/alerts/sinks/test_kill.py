"""The promise of the sinks, kept by real processes: whenever one is killed, every finding arrives, and in order."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.sinks.worker import DIE

ROOT = Path(__file__).parents[4]
PATIENCE = 30.0


async def start(folder: Path, *order: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.monitor.alerts.sinks.worker", str(folder), *order)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def read_numbers(process: asyncio.subprocess.Process, count: int) -> list[int]:
    """Wait until the process has said that it committed `count` findings, or until it has ended."""
    assert process.stdout is not None
    numbers: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while len(numbers) < count and (line := await process.stdout.readline()):
            numbers.append(int(line))
    return numbers


async def kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert process.returncode == -signal.SIGKILL


def committed(folder: Path) -> list[int]:
    database = sqlite3.connect(folder / "journal.sqlite")
    try:
        return [seq for (seq,) in database.execute("SELECT seq FROM findings ORDER BY seq")]
    finally:
        database.close()


def delivered(folder: Path) -> list[int]:
    """The numbers in the file; every line must be whole."""
    return [json.loads(line)["seq"] for line in (folder / "findings.jsonl").read_text().splitlines()]


def first_arrivals(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


@pytest.mark.parametrize("rounds", [2, pytest.param(8, marks=pytest.mark.long)])
async def test_killed_at_random_moments(tmp_path: Path, rounds: int) -> None:
    ready_journal(tmp_path).close()
    chance = random.Random(20260302)
    for _ in range(rounds):
        process = await start(tmp_path)
        assert await read_numbers(process, chance.randrange(1, 40))
        await kill(process)
    process = await start(tmp_path, "5")
    assert len(await read_numbers(process, sys.maxsize)) == 5
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert first_arrivals(delivered(tmp_path)) == committed(tmp_path)
    assert len(committed(tmp_path)) > rounds


async def test_killed_between_the_delivery_and_its_cursor(tmp_path: Path) -> None:
    ready_journal(tmp_path).close()
    process = await start(tmp_path, DIE)
    await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == -signal.SIGKILL
    before = delivered(tmp_path)
    assert before, "it was killed before it had delivered anything"
    process = await start(tmp_path, "1")
    await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    after = delivered(tmp_path)
    assert after[len(before) : 2 * len(before)] == before, "what was accepted without a cursor comes again"
    assert first_arrivals(after) == committed(tmp_path)
