from __future__ import annotations

from monitor.tap.media.lru import LruTable


def test_a_recent_table_forgets_the_least_used() -> None:
    gone: list[int] = []
    table: LruTable[int, str] = LruTable(2, gone.append)
    table.put(1, "a")
    table.put(2, "b")
    assert table.get(1) == "a"
    table.put(3, "c")
    assert gone == [2]
    assert table.get(2) is None
