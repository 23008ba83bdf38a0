"""What a log says is in force, whatever was done in whatever order; what is erased stays erased."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identity.vault.audit import GENESIS, AuditEntry
from monitor.identity.vault.standing import NOBODY, Standing, after


@dataclass(frozen=True)
class Row:
    version: int
    state: str


def line(action: str, **detail: object) -> AuditEntry:
    return AuditEntry(1, "", action, "a", b"", json.dumps(detail), GENESIS, b"", b"")


def stands(*lines: AuditEntry) -> Standing:
    return reduce(after, lines, NOBODY)


ONE = line("enrolled", version=1, state="active")
WAITS = line("enrolled", version=2, state="pending_approval")


@pytest.mark.parametrize(
    ("lines", "standing"),
    [
        ([ONE], Standing(active=1)),
        ([ONE, line("enrolled", version=2, state="active")], Standing(active=2)),
        ([ONE, WAITS], Standing(1, 2)),
        ([ONE, WAITS, line("approved", version=2)], Standing(active=2)),
        ([ONE, WAITS, line("rejected", version=2)], Standing(active=1)),
        ([ONE, WAITS, line("consent_expired", version=1)], Standing(pending=2)),
        ([ONE, WAITS, line("consent_expired", version=2)], Standing(active=1)),
        ([ONE, line("erased", cause="asked")], Standing(erased=True)),
        ([ONE, line("erased"), ONE, WAITS], Standing(erased=True)),
        ([ONE, line("key_rotated", key="x")], Standing(active=1)),
    ],
)
def test_lines_say_what_is_in_force(lines: list[AuditEntry], standing: Standing) -> None:
    assert stands(*lines) == standing


@pytest.mark.parametrize(
    ("standing", "found", "allowed", "agrees"),
    [
        (Standing(2), [Row(2, "active"), Row(1, "superseded")], True, True),
        (Standing(2), [Row(1, "active")], False, False),
        (Standing(2), [Row(2, "pending_approval")], False, False),
        (Standing(2), [Row(1, "superseded")], True, False),
        (Standing(2), [], True, False),
        (Standing(2, 3), [Row(2, "active"), Row(3, "pending_approval")], True, True),
        (Standing(2, 3), [Row(2, "active")], True, False),
        (Standing(), [Row(1, "expired")], True, True),
        (Standing(erased=True), [Row(1, "superseded")], False, False),
        (NOBODY, [Row(1, "active")], False, False),
    ],
)
def test_rows_are_held_against_it(standing: Standing, found: list[Row], allowed: bool, agrees: bool) -> None:
    assert all(map(standing.allows, found)) == allowed
    assert standing.agrees(found) == agrees


@given(st.lists(st.sampled_from([ONE, WAITS, line("approved", version=2), line("erased")])))
def test_nothing_is_in_force_after_an_erasure(lines: list[AuditEntry]) -> None:
    standing = stands(*lines)
    assert standing.erased == any(entry.action == "erased" for entry in lines)
    assert not standing.erased or not standing.allows(Row(1, "active"))
