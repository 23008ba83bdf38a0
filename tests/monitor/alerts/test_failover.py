"""A PostgreSQL that is killed while findings are written: they wait, none is lost, and each keeps one number."""

from __future__ import annotations

import asyncio
import random

import pytest
from structlog.testing import capture_logs

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.recorder import Recorder
from tests.monitor.alerts.build import finding
from tests.postgres import Server

PATIENCE = 60.0
EVERY_FINDINGS = 50


async def write_through(server: Server, kills: int) -> tuple[list[tuple[int, str]], list[tuple[int, str]], int]:
    """Put 50 findings for each time that the server is killed; gives who was told, what is kept, and what was dropped.

    Half of them are put while it is away.
    """
    journal, told, done = Journal(server.migrated_database()), list[tuple[int, str]](), asyncio.Event()
    count = kills * EVERY_FINDINGS

    def committed(seq: int, made: Finding, _decided_at: float) -> None:
        told.append((seq, made.id))
        if len(told) >= due:
            done.set()

    recorder, chance, put, due = Recorder(journal, committed), random.Random(20261130), 0, 0
    recorder.start()
    try:
        for kill in range(kills):
            first = put
            due = first + chance.randrange(EVERY_FINDINGS // 2)
            done.clear()
            while put < first + EVERY_FINDINGS // 2:
                recorder.put(finding(f"f{put}"), 0.0)
                put += 1
            # In the middle of them.
            if len(told) < due:
                await asyncio.wait_for(done.wait(), PATIENCE)
            await asyncio.to_thread(server.kill)
            while put < first + EVERY_FINDINGS:
                recorder.put(finding(f"f{put}"), 0.0)
                put += 1
            refused = await recorder.probe()
            assert refused is None or "findings wait in memory" in refused
            await asyncio.to_thread(server.start)
            due = (kill + 1) * EVERY_FINDINGS
            done.clear()
            if len(told) < due:
                await asyncio.wait_for(done.wait(), PATIENCE)
        assert put == count
        left = await recorder.close()
        rows = [row for row in await asyncio.to_thread(journal.read, 0, count + 1) if isinstance(row, Entry)]
        assert journal.verify().faults == ()
        assert left == 0
    finally:
        await recorder.close(0.0)
        journal.close()
    return told, [(row.seq, row.finding.id) for row in rows], recorder.dropped


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
async def test_nothing_is_lost_however_often_the_server_is_killed(postgres_server: Server, kills: int) -> None:
    with capture_logs() as said:
        told, kept, dropped = await write_through(postgres_server, kills)
    count = kills * EVERY_FINDINGS
    assert kept == [(n + 1, f"f{n}") for n in range(count)]
    assert told == kept
    assert dropped == 0
    events = [line["event"] for line in said]
    assert events.count("findings wait in memory") == events.count("the journal writes again") > 0


async def test_more_than_there_is_room_for_is_dropped_and_said(postgres_server: Server) -> None:
    journal, told, done = Journal(postgres_server.migrated_database()), list[str](), asyncio.Event()

    def committed(_seq: int, made: Finding, _decided_at: float) -> None:
        told.append(f"{made.id} {made.step}")
        if len(told) == 4:
            done.set()

    recorder = Recorder(journal, committed, capacity=4)
    await asyncio.to_thread(postgres_server.kill)
    try:
        with capture_logs() as said:
            recorder.start()
            for name in "abc":
                for step, action in enumerate(("opened", "updated")):
                    recorder.put(finding(name, step, action), 0.0)  # type: ignore[arg-type]
    finally:
        await asyncio.to_thread(postgres_server.start)
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert await recorder.close() == 0
    # What only brings a finding up to date gives way to what opens one.
    assert told == ["a 0", "b 0", "c 0", "c 1"]
    assert recorder.dropped == 2
    dropped = [
        line for line in said if line["event"] == "findings are dropped: the journal cannot be written for too long"
    ]
    assert len(dropped) == 1
    journal.close()
