from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Journal, JournalError
from monitor.alerts.recorder import Recorder
from tests.monitor.alerts.build import finding, findings_of, ready_journal
from tests.monitor.rig import quiet_log

PATIENCE = 10.0


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("monitor.alerts.recorder.BACKOFF_SECONDS", (0.01,))
    with quiet_log():
        yield


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Journal]:
    made = ready_journal(tmp_path)
    yield made
    made.close()


class Told:
    """What was committed, and a way to wait for it."""

    def __init__(self) -> None:
        self.findings: list[tuple[int, Finding]] = []
        self._changed = asyncio.Event()

    def __call__(self, seq: int, change: Finding, decided_at: float) -> None:
        self.findings.append((seq, change))
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def break_journal(journal: Journal, broken: bool) -> None:
    old, new = ("journal_head", "hidden") if broken else ("hidden", "journal_head")
    with journal.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


async def test_what_was_put_before_is_written_once_it_is_settled(opened: Journal) -> None:
    recorder = Recorder(opened, Told())
    await recorder.settled()
    break_journal(opened, broken=True)
    recorder.start()
    for step in range(3):
        recorder.put(finding(step=step), 0.0)
    both = [asyncio.create_task(recorder.settled()) for _ in range(2)]
    while recorder.error is None:  # noqa: ASYNC110 - each turn of the loop lets the recorder go on
        await asyncio.sleep(0)
    assert not any(one.done() for one in both)
    break_journal(opened, broken=False)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*both)
    assert [one.step for one in findings_of(opened)] == [0, 1, 2]
    assert await recorder.close() == 0


async def test_told_after_the_commit_and_in_order(opened: Journal) -> None:
    held: list[int] = []
    told = Told()

    def committed(seq: int, change: Finding, decided_at: float) -> None:
        held.append(opened.head().seq)
        told(seq, change, decided_at)

    recorder = Recorder(opened, committed)
    recorder.start()
    for n in range(5):
        recorder.put(finding(str(n)), 0.0)
    await told.until(lambda: len(told.findings) == 5)
    assert [seq for seq, _ in told.findings] == [1, 2, 3, 4, 5]
    assert all(now >= seq for now, (seq, _) in zip(held, told.findings, strict=True))
    assert await recorder.close() == 0


async def test_refused_findings_wait_and_come_through(opened: Journal) -> None:
    told = Told()
    recorder = Recorder(opened, told)
    break_journal(opened, True)
    recorder.start()
    recorder.put(finding("a"), 0.0)
    recorder.put(finding("b"), 0.0)
    why = await recorder.probe()
    assert why is not None
    assert "\n" not in why
    break_journal(opened, False)
    await told.until(lambda: len(told.findings) == 2)
    assert [change.id for _, change in told.findings] == ["a", "b"]
    assert recorder.error is None
    assert await recorder.probe() is None
    assert await recorder.close() == 0


async def test_beyond_the_bound_updates_give_way_first(opened: Journal) -> None:
    recorder = Recorder(opened, Told(), capacity=4)
    changes = [finding("a"), finding("a", 1, "updated"), finding("a", 2, "closed"), finding("b"), finding("c")]
    for change in changes:
        recorder.put(change, 0.0)
    assert (len(recorder), recorder.dropped) == (4, 1)
    recorder.put(finding("d"), 0.0)
    assert (len(recorder), recorder.dropped) == (4, 2)
    told = Told()
    recorder._committed = told
    recorder.start()
    await told.until(lambda: len(told.findings) == 4)
    assert [change.id for _, change in told.findings] == ["a", "b", "c", "d"]
    assert [change.action for _, change in told.findings] == ["opened"] * 4
    await recorder.close()


class Held:
    """A journal whose writer holds the first finding in its hands until the gate opens."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.gate = threading.Event()
        self.writing = threading.Event()

    def append(self, change: Finding) -> int:
        self.writing.set()
        assert self.gate.wait(PATIENCE)
        return self._journal.append(change)

    def check(self) -> None:
        self._journal.check()


@pytest.mark.parametrize("others", ["opened", "updated"])
async def test_what_the_writer_holds_never_gives_way(opened: Journal, others: Literal["opened", "updated"]) -> None:
    """A finding that is being committed is not counted as dropped: each is either committed or dropped."""
    held, told = Held(opened), Told()
    recorder = Recorder(held, told, capacity=3)
    recorder.start()
    # The least telling of all, were it not in the writer's hands.
    recorder.put(finding("first", 1, "updated"), 0.0)
    assert await asyncio.to_thread(held.writing.wait, PATIENCE)
    for name in ("second", "third", "fourth", "fifth"):
        recorder.put(finding(name, 1, others), 0.0)
    assert (len(recorder), recorder.dropped) == (3, 2)
    held.gate.set()
    await told.until(lambda: len(told.findings) == 3)
    assert [change.id for _, change in told.findings] == ["first", "fourth", "fifth"]
    assert [found.id for found in findings_of(opened)] == ["first", "fourth", "fifth"]
    assert await recorder.close() == 0


async def test_one_bad_finding_does_not_hold_up_the_others(opened: Journal) -> None:
    told = Told()
    recorder = Recorder(opened, told)
    recorder.start()
    recorder.put(Finding("x", 0, "opened", finding().key, finding().time, "alert", None, {"a": {"b": object()}}), 0.0)
    recorder.put(finding("good"), 0.0)
    await told.until(lambda: len(told.findings) == 1)
    assert (told.findings[0][1].id, recorder.dropped) == ("good", 1)
    await recorder.close()


async def test_closing_on_a_broken_journal_is_bounded_and_says_what_is_lost(opened: Journal) -> None:
    break_journal(opened, True)
    recorder = Recorder(opened, Told())
    recorder.start()
    recorder.put(finding(), 0.0)
    assert await recorder.close(timeout=0.1) == 1


async def test_probe_asks_the_disk_now_and_then(opened: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(opened, Told())
    asked: list[bool] = []
    check = opened.check

    def counted() -> None:
        asked.append(True)
        check()

    monkeypatch.setattr(opened, "check", counted)
    assert [await recorder.probe(), await recorder.probe()] == [None, None]
    assert len(asked) == 1
    break_journal(opened, True)
    with pytest.raises(JournalError):
        check()
    await recorder.close()
