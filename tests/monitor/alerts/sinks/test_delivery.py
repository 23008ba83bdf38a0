from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from monitor.alerts.journal import Entry, Journal
from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.base import Gap, Item, SinkError
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.registry import NamedSink
from tests.monitor.alerts.build import finding, ready_journal
from tests.monitor.alerts.sinks.build import PATIENCE, DeadSink, MemorySink, named, refused


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = ready_journal(tmp_path, max_findings=20)
    yield made
    made.close()


class Schedule:
    """Stands in for the schedule of retries: the pause is the test's, and what was asked can be waited for."""

    def __init__(self) -> None:
        self.pause_seconds = 0.001
        self.asked: list[tuple[int, float | None]] = []
        self._changed = asyncio.Event()

    def __call__(self, failures: int, _jitter: float, _longest_seconds: float, asked_seconds: float | None) -> float:
        self.asked.append((failures, asked_seconds))
        self._changed.set()
        return self.pause_seconds

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.asked) < count:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> Schedule:
    made = Schedule()
    monkeypatch.setattr("monitor.alerts.sinks.delivery.retry_delay_seconds", made)
    return made


@asynccontextmanager
async def delivering(journal: Journal, *sinks: NamedSink, drain: float = 5.0) -> AsyncIterator[Deliveries]:
    deliveries = Deliveries(sinks, journal, CollectorRegistry())
    await deliveries.start()
    try:
        yield deliveries
    finally:
        await deliveries.close(drain)


def commit(journal: Journal, deliveries: Deliveries | None, *names: str) -> None:
    for name in names:
        seq = journal.append(finding(name))
        if deliveries is not None:
            deliveries.committed(seq)


def value(registry: CollectorRegistry, name: str, sink: str = "memory") -> float | None:
    return registry.get_sample_value(f"sidewitness_sink_{name}", {"sink": sink})


async def test_findings_are_delivered_in_order_and_in_bounded_batches(journal: Journal) -> None:
    sink, registry = MemorySink(), CollectorRegistry()
    deliveries = Deliveries([named(sink)], journal, registry)
    await deliveries.start()
    for n in range(10):
        commit(journal, None, str(n))
    deliveries.committed(10)
    await sink.until(lambda: len(sink.items) == 10)
    assert sink.numbers == list(range(1, 11))
    assert sink.batches == [4, 4, 2]
    await deliveries.close()
    assert sink.closed
    assert value(registry, "findings_delivered_total") == 10
    assert (value(registry, "findings_waiting"), value(registry, "healthy")) == (0, 1)


async def test_the_recorder_wakes_it(journal: Journal) -> None:
    sink = MemorySink()
    async with delivering(journal, named(sink)) as deliveries:
        recorder = Recorder(journal, lambda seq, _finding, _decided_at: deliveries.committed(seq))
        recorder.start()
        for name in "abc":
            recorder.put(finding(name), 0.0)
        await sink.until(lambda: sink.numbers == [1, 2, 3])
        await recorder.close()


async def test_a_new_sink_begins_now_or_at_the_beginning(journal: Journal) -> None:
    now, all_of_it = MemorySink(), MemorySink()
    commit(journal, None, "a", "b")
    async with delivering(journal, named(now, "now"), named(all_of_it, "all", from_beginning=True)) as deliveries:
        commit(journal, deliveries, "c")
    assert (now.numbers, all_of_it.numbers) == ([3], [1, 2, 3])


async def test_what_a_new_sink_has_not_had_is_remembered_before_it_has_had_anything(journal: Journal) -> None:
    async with delivering(journal, named(DeadSink()), drain=0.01) as deliveries:
        commit(journal, deliveries, "a")
    after = MemorySink()
    async with delivering(journal, named(after)):
        await after.until(lambda: after.numbers == [1])


async def test_it_resumes_where_it_was(journal: Journal) -> None:
    first, second = MemorySink(), MemorySink()
    async with delivering(journal, named(first)) as deliveries:
        commit(journal, deliveries, "a", "b")
    commit(journal, None, "c", "d")
    async with delivering(journal, named(second)):
        await second.until(lambda: len(second.items) == 2)
    assert (first.numbers, second.numbers) == ([1, 2], [3, 4])


async def test_a_refused_delivery_comes_again(journal: Journal, schedule: Schedule) -> None:
    sink, registry = MemorySink(), CollectorRegistry()
    sink.refusal = SinkError("too many requests", retry_after_seconds=7.0)
    deliveries = Deliveries([named(sink)], journal, registry)
    with capture_logs() as log:
        await deliveries.start()
        commit(journal, deliveries, "a", "b")
        await sink.until(lambda: sink.attempts == 3)
        (runner,) = deliveries
        assert (runner.error, runner.cursor) == ("too many requests", 0)
        assert (value(registry, "healthy"), value(registry, "findings_waiting")) == (0, 2)
        sink.refusal = None
        await sink.until(lambda: sink.numbers == [1, 2])
        await deliveries.close()
    assert runner.error is None
    assert schedule.asked[:3] == [(1, 7.0), (2, 7.0), (3, 7.0)]
    assert value(registry, "failures_total") == len(schedule.asked)
    # One line for each change of health.
    assert [(line["event"].partition(":")[0], line["sink"]) for line in log] == [
        ("a sink does not accept findings", "memory"),
        ("a sink accepts findings again", "memory"),
    ]


async def test_the_schedule_begins_anew_after_a_delivery(journal: Journal, schedule: Schedule) -> None:
    sink = MemorySink()
    async with delivering(journal, named(sink)) as deliveries:
        for name, attempts in (("a", 2), ("b", 1)):
            sink.refusal, sink.attempts = refused(), 0
            commit(journal, deliveries, name)
            await sink.until(lambda wanted=attempts: sink.attempts >= wanted)  # type: ignore[misc]
            sink.refusal = None
            await sink.until(lambda wanted=name: len(sink.items) == "ab".index(wanted) + 1)  # type: ignore[misc]
    assert [failures for failures, _ in schedule.asked].count(1) == 2


class PickySink(MemorySink):
    """Refuses each finding once, where its number is one of these."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.numbered = set(numbers)

    async def deliver(self, items: Sequence[Item]) -> None:
        seqs = {item.seq for item in items if isinstance(item, Entry)}
        self.refusal = refused() if seqs & self.numbered else None
        self.numbered -= seqs
        await super().deliver(items)


async def test_a_refusal_now_and_then_lengthens_no_pause(journal: Journal, schedule: Schedule) -> None:
    commit(journal, None, *"abcdefgh")
    sink = PickySink(2, 4, 6, 8)
    async with delivering(journal, named(sink, batch_entries=1, from_beginning=True)):
        await sink.until(lambda: len(sink.items) == 8)
    assert sink.numbers == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [failures for failures, _ in schedule.asked] == [1, 1, 1, 1]


async def test_what_was_accepted_before_a_refusal_is_written_down(journal: Journal, schedule: Schedule) -> None:
    schedule.pause_seconds = 60.0
    commit(journal, None, *"abc")
    sink = PickySink(3)
    async with delivering(journal, named(sink, batch_entries=1, from_beginning=True), drain=0.1):
        await schedule.until(1)
        # As a process sees it that is started after this one was killed in its pause.
        assert Cursors(journal).read("memory") == 2
    assert sink.numbers == [1, 2, 3]


async def test_new_findings_do_not_shorten_the_pause(journal: Journal, schedule: Schedule) -> None:
    sink = MemorySink()
    schedule.pause_seconds = 60.0
    sink.refusal = refused()
    async with delivering(journal, named(sink), drain=0.1) as deliveries:
        commit(journal, deliveries, "a")
        await schedule.until(1)
        commit(journal, deliveries, "b", "c")
        # A runner that had heard would read the journal first: it is given the time.
        for _ in range(3):
            await asyncio.to_thread(journal.head)
        assert sink.attempts == 1


async def test_a_dead_sink_holds_back_nobody(journal: Journal) -> None:
    dead, live = DeadSink(), MemorySink()
    async with delivering(journal, named(dead, "dead"), named(live, "live"), drain=0.05) as deliveries:
        for name in "abcde":
            commit(journal, deliveries, name)
            await live.until(lambda wanted=name: len(live.items) == "abcde".index(wanted) + 1)  # type: ignore[misc]
    assert live.numbers == [1, 2, 3, 4, 5]
    assert dead.attempts == 1
    again = MemorySink()
    async with delivering(journal, named(again, "dead")):
        await again.until(lambda: again.numbers == [1, 2, 3, 4, 5])


async def test_a_sink_that_does_not_answer_in_time_is_tried_again(
    journal: Journal, schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.alerts.sinks.delivery.Delivery.__init__.__defaults__", (0.01,))
    dead = DeadSink()
    async with delivering(journal, named(dead), drain=0.1) as deliveries:
        commit(journal, deliveries, "a")
        await dead.until(lambda: dead.attempts == 2)
        (runner,) = deliveries
        assert runner.error == "it did not answer in time"


async def test_an_error_that_nobody_foresaw_is_named_and_not_quoted(journal: Journal, schedule: Schedule) -> None:
    sink = MemorySink()
    sink.refusal = ValueError("https://hooks.example/secret")
    with capture_logs() as log:
        async with delivering(journal, named(sink), drain=0.1) as deliveries:
            commit(journal, deliveries, "a")
            await sink.until(lambda: sink.attempts == 2)
    assert log[0]["why"].startswith("ValueError in build.py, line ")
    assert "secret" not in str(log)


async def test_what_was_pruned_is_said_and_the_rest_comes(journal: Journal, schedule: Schedule) -> None:
    sink, registry = MemorySink(), CollectorRegistry()
    sink.refusal = refused()
    deliveries = Deliveries([named(sink, batch_entries=100)], journal, registry)
    with capture_logs() as log:
        await deliveries.start()
        commit(journal, deliveries, *(str(n) for n in range(26)))
        before = sink.attempts
        await sink.until(lambda: sink.attempts >= before + 3)
        sink.refusal = None
        await sink.until(lambda: bool(sink.items))
        await deliveries.close()
    assert sink.items[0] == Gap(1, 6)
    assert sink.numbers == list(range(7, 27))
    assert value(registry, "findings_missed_total") == 6
    said = [line for line in log if "pruned" in line["event"]]
    assert (said[-1]["sink"], said[-1]["last"]) == ("memory", 6)
    assert len(said) == len({line["last"] for line in said})


async def test_a_cursor_from_another_journal(journal: Journal, tmp_path: Path) -> None:
    first, second = MemorySink(), MemorySink()
    async with delivering(journal, named(first)) as deliveries:
        commit(journal, deliveries, "a", "b", "c")
    with journal.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM findings")
        connection.exec_driver_sql("UPDATE journal_head SET seq = 0")
    journal.close()
    # As a process sees it that knows nothing of the one before: this one would go on above its numbers.
    journal = Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    commit(journal, None, "new")
    with capture_logs() as log:
        async with delivering(journal, named(second)):
            await second.until(lambda: second.numbers == [1])
    assert "another journal" in log[0]["event"]
    third = MemorySink()
    async with delivering(journal, named(third)) as deliveries:
        commit(journal, deliveries, "d")
    assert third.numbers == [2]
    journal.close()


async def test_a_journal_that_cannot_be_read_is_tried_again(journal: Journal, schedule: Schedule) -> None:
    sink = MemorySink()
    async with delivering(journal, named(sink)) as deliveries:
        with journal.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE journal_head RENAME TO hidden")
        deliveries.committed(1)
        (runner,) = deliveries
        await schedule.until(1)
        assert runner.error is not None
        assert "journal" in runner.error
        with journal.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO journal_head")
        commit(journal, deliveries, "a")
        await sink.until(lambda: sink.numbers == [1])


async def test_a_cursor_that_cannot_be_written_delivers_nothing_twice(journal: Journal, schedule: Schedule) -> None:
    sink = MemorySink()
    async with delivering(journal, named(sink)) as deliveries:
        with journal.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE sink_cursors RENAME TO hidden")
        commit(journal, deliveries, "a", "b")
        await schedule.until(3)
        with journal.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO sink_cursors")
        commit(journal, deliveries, "c")
    assert sink.numbers == [1, 2, 3]
    with journal.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT name, seq FROM sink_cursors").all() == [("memory", 3)]


async def test_closing_delivers_what_waits_and_asks_a_sink_that_refuses_only_once_more(journal: Journal) -> None:
    brisk, refusing = MemorySink(), MemorySink()
    refusing.refusal = refused()
    deliveries = Deliveries([named(brisk, "brisk"), named(refusing, "refusing")], journal, CollectorRegistry())
    await deliveries.start()
    commit(journal, deliveries, *"abcdef")
    await refusing.until(lambda: refusing.attempts == 1)
    with capture_logs() as log:
        async with asyncio.timeout(5):
            await deliveries.close(60.0)
    assert brisk.numbers == [1, 2, 3, 4, 5, 6]
    assert refusing.attempts == 2
    assert [(line["sink"], line["waiting"]) for line in log if "left" in line["event"]] == [("refusing", 6)]


async def test_without_sinks_nothing_happens(journal: Journal) -> None:
    async with delivering(journal) as deliveries:
        commit(journal, deliveries, "a")
    assert list(deliveries) == []


async def test_a_sink_is_told_of_what_the_policy_had_it_told_of_and_passes_by_the_rest(journal: Journal) -> None:
    told, others = MemorySink(), MemorySink()
    handled = [None, ["told"], [], ["told", "others"], ["others"]]
    for number, notify in enumerate(handled):
        handling = {"kind": "finding", "drill": False, "notify": notify}
        journal.append(replace(finding(str(number)), handling=handling))
    async with delivering(
        journal, named(told, "told", from_beginning=True), named(others, "others", from_beginning=True)
    ) as deliveries:
        await told.until(lambda: len(told.items) == 3)
        await others.until(lambda: len(others.items) == 3)
    assert [runner.cursor for runner in deliveries] == [5, 5]
    assert (told.numbers, others.numbers) == ([1, 2, 4], [1, 4, 5])
