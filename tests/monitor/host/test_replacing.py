from __future__ import annotations

from monitor.host.replacing import SILENT_SECONDS, may_replace


def test_a_publication_is_replaced_by_its_owner_by_the_process_and_after_silence() -> None:
    assert may_replace("alice", "alice", 0.0)
    assert not may_replace("alice", "eve", 0.0)
    assert not may_replace("alice", "eve", SILENT_SECONDS - 0.001)
    assert may_replace("alice", "eve", SILENT_SECONDS)


def test_what_the_operator_configured_replaces_anybody_and_is_replaced_by_nobody_who_publishes() -> None:
    assert may_replace("alice", None, 0.0)
    assert may_replace(None, None, 0.0)
    assert not may_replace(None, "eve", 0.0)
    assert may_replace(None, "eve", SILENT_SECONDS)
