from __future__ import annotations

import pytest

from monitor.api.access import lockout
from monitor.api.access.lockout import (
    FREE_FAILURES,
    MAX_DELAY_SECONDS,
    MAX_LOCK_SECONDS,
    WINDOW_SECONDS,
    Lockout,
    Penalty,
)

HERE = "203.0.113.7"


def after(failures: int, lockable: bool = True, state: Lockout | None = None) -> tuple[Lockout, list[Penalty]]:
    table, penalties = state or Lockout(), []
    for _ in range(failures):
        table, penalty = table.failed(HERE, 100.0, lockable)
        penalties.append(penalty)
    return table, penalties


def test_each_wrong_token_waits_longer_and_the_fifth_locks() -> None:
    table, penalties = after(6)
    assert [penalty.delay_seconds for penalty in penalties] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert [penalty.lock_seconds for penalty in penalties] == [0.0] * 4 + [30.0, 60.0]
    assert (table.locked_for(HERE, 100.0), table.locked_for(HERE, 159.0), table.locked_for(HERE, 160.0)) == (60, 1, 0)
    assert table.locked_for("203.0.113.8", 100.0) == 0.0


def test_delay_and_lock_have_an_end_however_often_it_is_tried() -> None:
    _, penalties = after(5000)
    assert penalties[-1] == Penalty(MAX_DELAY_SECONDS, MAX_LOCK_SECONDS)


def test_an_address_behind_which_anybody_may_be_waits_and_is_never_locked() -> None:
    table, penalties = after(50, lockable=False)
    assert penalties[-1] == Penalty(MAX_DELAY_SECONDS, 0.0)
    assert table.locked_for(HERE, 100.0) == 0.0


def test_wrong_tokens_are_forgotten_a_while_after_the_lock() -> None:
    table, _ = after(FREE_FAILURES)
    unlocked = 100.0 + 30.0
    still, _ = table.failed(HERE, unlocked + WINDOW_SECONDS)
    assert still.locked_for(HERE, unlocked + WINDOW_SECONDS) == 60.0
    fresh, penalty = table.failed(HERE, unlocked + WINDOW_SECONDS + 0.1)
    assert (fresh.records[HERE].failures, penalty) == (1, Penalty(0.25, 0.0))


def test_the_table_is_bounded_and_lets_go_of_who_failed_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockout, "MAX_ADDRESSES", 300)
    table, _ = after(FREE_FAILURES)
    for n in range(299):
        table, _ = table.failed(f"10.{n >> 8}.{n & 255}.1", 101.0)
    assert table.locked_for(HERE, 101.0) > 0.0
    table, _ = table.failed(HERE, 102.0)
    table, _ = table.failed("192.0.2.1", 103.0)
    assert len(table.records) == 300
    assert HERE in table.records
    assert "10.0.0.1" not in table.records
