"""What a sink refuses for good, a sink that wants nothing more, and a cursor that somebody puts elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from monitor.alerts.journal import Entry, Journal
from monitor.alerts.sinks.base import Gap, GoneError, Item, RefusedError, SinkError
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.dead import DeadLetters
from monitor.alerts.sinks.delivery import Deliveries
from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.sinks.build import MemorySink, named
from tests.monitor.alerts.sinks.test_delivery import Schedule, commit, delivering, schedule, value

__all__ = ["schedule"]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = ready_journal(tmp_path, max_findings=20)
    yield made
    made.close()


class PickySink(MemorySink):
    """Refuses what holds a finding of these episodes, all that is sent with it too; fails before these once."""

    def __init__(self, *refused: str, failing: Sequence[str] = ()) -> None:
        super().__init__()
        self.refused = set(refused)
        self.failing = set(failing)

    async def deliver(self, items: Sequence[Item]) -> None:
        episodes = {item.finding.id for item in items if isinstance(item, Entry)}
        if self.failing & episodes and len(items) == 1:
            self.failing -= episodes
            raise SinkError("not now")
        if self.refused & episodes or (any(isinstance(item, Gap) for item in items) and "gap" in self.refused):
            self.attempts += 1
            raise RefusedError("the receiver refuses it (400)")
        await super().deliver(items)


def seqs(letters: DeadLetters, name: str = "memory") -> list[int]:
    return [letter.seq for letter in letters.list(name)]


async def test_what_is_refused_is_a_dead_letter_and_the_rest_goes_on(journal: Journal) -> None:
    sink, registry = PickySink("b"), CollectorRegistry()
    deliveries = Deliveries([named(sink)], journal, registry)
    with capture_logs() as log:
        await deliveries.start()
        commit(journal, None, *"abcde")
        deliveries.committed(5)
        await sink.until(lambda: len(sink.items) == 4)
        await deliveries.close()
    letters = DeadLetters(journal)
    assert sink.numbers == [1, 3, 4, 5]
    assert [(letter.seq, letter.why) for letter in letters.list("memory")] == [(2, "the receiver refuses it (400)")]
    assert (letters.count("memory"), letters.count("other")) == (1, 0)
    assert (value(registry, "dead_letters_total"), value(registry, "findings_delivered_total")) == (1, 4)
    assert (value(registry, "findings_waiting"), value(registry, "healthy"), value(registry, "stopped")) == (0, 1, 0)
    assert [(line["event"], line["seq"]) for line in log] == [("a sink refuses a finding for good", 2)]
    assert Cursors(journal).read("memory") == 5


async def test_what_was_accepted_alone_is_not_sent_again_when_the_next_fails(
    journal: Journal, schedule: Schedule
) -> None:
    sink = PickySink("d", failing=["c"])
    async with delivering(journal, named(sink)) as deliveries:
        commit(journal, None, *"abcd")
        deliveries.committed(4)
        await sink.until(lambda: sink.numbers == [1, 2, 3])
    assert seqs(DeadLetters(journal)) == [4]
    assert len(schedule.asked) == 1


async def test_a_gap_that_is_refused_is_a_dead_letter_too(journal: Journal, schedule: Schedule) -> None:
    sink = PickySink("gap")
    async with delivering(journal, named(sink, from_beginning=True)):
        pass
    commit(journal, None, *(str(n) for n in range(25)))
    async with delivering(journal, named(sink)):
        await sink.until(lambda: sink.numbers == list(range(4, 26)))
    assert seqs(DeadLetters(journal)) == [3]


def test_letters_are_bounded_and_each_is_there_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.alerts.sinks.dead.MAX_LETTERS", 2)
    letters = DeadLetters(journal)
    letters.add("other", 1, "why")
    for seq in (1, 1, 2, 3):
        letters.add("memory", seq, "x" * 1000)
    assert [(letter.seq, len(letter.why)) for letter in letters.list("memory")] == [(2, 256), (3, 256)]
    assert seqs(letters, "other") == [1]


async def test_a_sink_that_wants_nothing_more_stops_and_holds_back_nobody(journal: Journal, schedule: Schedule) -> None:
    gone, live, registry = MemorySink(), MemorySink(), CollectorRegistry()
    gone.refusal = GoneError("the receiver wants nothing more (410)")
    deliveries = Deliveries([named(gone, "gone"), named(live, "live")], journal, registry)
    with capture_logs() as log:
        await deliveries.start()
        commit(journal, deliveries, *"ab")
        await gone.until(lambda: gone.attempts == 1)
        commit(journal, deliveries, "c")
        await live.until(lambda: live.numbers == [1, 2, 3])
        await deliveries.close()
    assert (gone.attempts, gone.closed) == (1, True)
    stopped, _ = deliveries
    assert stopped.error == "the receiver wants nothing more (410)"
    assert (value(registry, "stopped", "gone"), value(registry, "healthy", "gone")) == (1, 0)
    assert (value(registry, "stopped", "live"), value(registry, "findings_waiting", "gone")) == (0, 3)
    assert log[0]["event"] == "a sink is stopped until the next start: its findings wait"
    again = MemorySink()
    async with delivering(journal, named(again, "gone")):
        await again.until(lambda: again.numbers == [1, 2, 3])


async def test_a_running_sink_goes_on_from_where_its_cursor_is_put(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.alerts.sinks.delivery.LOOK_SECONDS", 0.01)
    sink, cursors, letters = PickySink("b"), Cursors(journal), DeadLetters(journal)
    async with delivering(journal, named(sink, batch_entries=1)) as deliveries:
        commit(journal, deliveries, *"abc")
        await sink.until(lambda: sink.numbers == [1, 3])
        sink.refused.clear()
        assert cursors.replay("memory", 1)
        assert seqs(letters) == []
        await sink.until(lambda: sink.numbers == [1, 3, 2, 3])
    assert cursors.read("memory") == 3
    assert not cursors.replay("nobody", 0)
    assert cursors.read("nobody") is None


async def test_a_cursor_that_is_moved_during_a_delivery_stays_where_it_was_put(journal: Journal) -> None:
    cursors = Cursors(journal)

    class MovedSink(MemorySink):
        async def deliver(self, items: Sequence[Item]) -> None:
            if not self.items:
                cursors.replay("memory", 0)
            await super().deliver(items)

    commit(journal, None, "a")
    sink = MovedSink()
    async with delivering(journal, named(sink, batch_entries=1)) as deliveries:
        commit(journal, deliveries, "b")
        await sink.until(lambda: sink.numbers == [2, 1, 2])
    assert cursors.read("memory") == 2
