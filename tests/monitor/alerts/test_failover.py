"""A PostgreSQL that is killed while findings are written: they wait, none is lost, and each keeps one number."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.recorder import Recorder
from monitor.identity.vault.anchor import FileAnchor
from tests import postgres
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


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.long)])
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


async def test_a_standby_that_takes_over_has_everything(tmp_path: Path) -> None:
    with postgres.server("synchronous_standby_names = '*'", "synchronous_commit = local") as primary:
        url = primary.migrated_database()
        with postgres.standby(primary) as standby:
            # From now on a commit is one that the standby has, too.
            primary.sql("postgres", "ALTER SYSTEM SET synchronous_commit = on")
            primary.sql("postgres", "SELECT pg_reload_conf()")
            both = f"{url}&host={standby.folder}&target_session_attrs=read-write"
            journal, told, done = Journal(both, anchors=[FileAnchor(tmp_path / "journal.anchor")]), [], asyncio.Event()

            def committed(seq: int, made: Finding, _decided_at: float) -> None:
                told.append((seq, made.id))
                if len(told) == 20:
                    done.set()

            recorder = Recorder(journal, committed)
            recorder.start()
            for n in range(10):
                recorder.put(finding(f"before-{n}"), 0.0)
            await until(lambda: len(told) > 3)
            await asyncio.to_thread(primary.kill)
            for n in range(10):
                recorder.put(finding(f"after-{n}"), 0.0)
            await asyncio.to_thread(standby.promote)
            await asyncio.wait_for(done.wait(), PATIENCE)
            assert await recorder.close() == 0
            names = [f"before-{n}" for n in range(10)] + [f"after-{n}" for n in range(10)]
            assert told == list(enumerate(names, 1))
            rows = await asyncio.to_thread(journal.read, 0)
            assert [row.finding.id for row in rows if isinstance(row, Entry)] == names
            assert journal.verify().faults == ()
            journal.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let others go on until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what commits tells a list
            await asyncio.sleep(0)
