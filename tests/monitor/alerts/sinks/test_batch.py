from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.journal import Entry, Head
from monitor.alerts.sinks.base import Gap, item_message
from monitor.alerts.sinks.batch import Batch, next_batch, resume
from tests.monitor.alerts.build import finding


def entry(seq: int) -> Entry:
    return Entry(seq, finding(str(seq)))


def test_nothing_new() -> None:
    assert next_batch(3, Head(3, 0), []) == Batch((), 3)


def test_findings_move_the_cursor() -> None:
    batch = next_batch(3, Head(5, 0), [entry(4), entry(5)])
    assert (batch.cursor, batch.findings, batch.missed) == (5, 2, 0)


def test_what_was_pruned_is_said() -> None:
    batch = next_batch(3, Head(8, 6), [entry(7), entry(8)])
    assert batch == Batch((Gap(4, 6), entry(7), entry(8)), 8)
    assert (batch.findings, batch.missed) == (2, 3)


def test_parts_of_a_batch_have_cursors_of_their_own() -> None:
    batch = next_batch(3, Head(9, 6), [entry(7), entry(8), entry(9)])
    assert list(batch.parts(1)) == [
        Batch((Gap(4, 6),), 6), Batch((entry(7),), 7), Batch((entry(8),), 8), Batch((entry(9),), 9)
    ]  # fmt: skip
    assert list(batch.parts(3)) == [Batch((Gap(4, 6), entry(7), entry(8)), 8), Batch((entry(9),), 9)]
    assert list(Batch((), 3).parts(2)) == []


def test_everything_was_pruned() -> None:
    assert next_batch(3, Head(6, 6), []) == Batch((Gap(4, 6),), 6)


def test_a_cursor_from_another_journal_begins_anew() -> None:
    assert resume(5, Head(5, 2)) == 5
    assert resume(6, Head(5, 2)) == 0


def test_items_are_the_messages_of_the_socket() -> None:
    assert item_message(Gap(4, 6)) == {"type": "gap", "after": 6}
    assert (item_message(entry(7))["type"], item_message(entry(7))["seq"]) == ("finding", 7)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 20), st.integers(1, 7))
def test_every_number_is_delivered_or_said_to_be_missed(newest: int, pruned: int, cursor: int, limit: int) -> None:
    head = Head(max(newest, pruned), pruned)
    begun = cursor = resume(cursor, head)
    told: list[int] = []
    while True:
        page = [entry(seq) for seq in range(max(cursor, pruned) + 1, head.seq + 1)][:limit]
        batch = next_batch(cursor, head, page)
        if not batch.items:
            break
        for item in batch.items:
            told += range(item.first, item.last + 1) if isinstance(item, Gap) else [item.seq]
            assert isinstance(item, Entry) or (isinstance(item, Gap) and item.last <= pruned)
        cursor = batch.cursor
    assert told == list(range(begun + 1, head.seq + 1))


def test_a_sink_is_not_told_of_what_a_policy_keeps_from_it() -> None:
    kept, told, plain = (
        replace(entry(seq), finding=replace(finding(str(seq)), handling=handling))
        for seq, handling in ((4, {"notify": ["pager"]}), (5, {"notify": ["soc", "pager"]}), (6, {"notify": None}))
    )
    batch = Batch((Gap(1, 3), kept, told, plain, entry(7)), 7)
    assert batch.told_to("soc") == Batch((Gap(1, 3), told, plain, entry(7)), 7)
    assert batch.told_to("pager") == batch
