"""The chain: whatever is changed, left out, put in, moved or cut off is found, at the line where it was done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.identity.vault.audit import GENESIS, AuditEntry, Head, chain_entry, sign_head, verify
from monitor.identity.vault.sealing import FieldCipher
from tests.monitor.identity.build import NEW_KEY, OLD_KEY

SIGN, OTHER = FieldCipher(OLD_KEY).sign, FieldCipher(NEW_KEY).sign


def chain(length: int, sign: object = SIGN) -> tuple[list[AuditEntry], Head]:
    lines, head = [], Head(0, GENESIS, b"")
    for number in range(length):
        line, head = chain_entry(
            head,
            sign,  # type: ignore[arg-type]
            time=f"2026-03-01T12:00:{number:02}.000Z",
            action="enrolled",
            identity="a",
            sealed_actor=b"x",
            detail="{}",
        )
        lines.append(line)
    return lines, head


def test_what_was_written_holds() -> None:
    lines, head = chain(5)
    for sign in (SIGN, None):
        report = verify(lines, head, sign)
        assert (report.lines, report.broken, report.head) == (5, None, lines[-1].hash.hex())
        assert report.signed == (sign is not None)
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5]


def test_as_json_a_line_shows_its_actor_and_neither_seal_nor_signature() -> None:
    line = replace(chain(1)[0][0], actor="Operator", detail='{"version": 1}')
    shown = line.as_json()
    assert (shown["seq"], shown["actor"], shown["hash"]) == (1, "Operator", line.hash.hex())
    assert shown["detail"] == {"version": 1}
    assert shown.keys() == {"seq", "time", "action", "identity", "actor", "detail", "hash"}


@given(
    st.integers(0, 4),
    st.sampled_from(["time", "action", "identity", "sealed_actor", "detail", "previous", "hash", "signature"]),
    st.booleans(),
)
def test_a_changed_field_breaks_at_its_line(at: int, field: str, signed: bool) -> None:
    lines, head = chain(5)
    old = getattr(lines[at], field)
    lines[at] = replace(lines[at], **{field: old + (b"!" if isinstance(old, bytes) else "!")})
    report = verify(lines, head, SIGN if signed else None)
    if field == "signature" and not signed:
        assert report.broken is None
    else:
        assert report.broken == at + 1
        assert report.why


@given(st.integers(0, 3))
def test_a_line_left_out_or_moved_breaks_there(at: int) -> None:
    lines, head = chain(5)
    without = lines[:at] + lines[at + 1 :]
    assert verify(without, head, None).broken == at + 1
    swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
    assert verify(swapped, head, None).broken == at + 1
    doubled = [*lines[: at + 1], lines[at], *lines[at + 1 :]]
    assert verify(doubled, head, None).broken == at + 2


def test_an_end_that_is_cut_off_shows() -> None:
    lines, head = chain(5)
    report = verify(lines[:3], head, None)
    assert report.broken == 4
    assert "should have 5 lines and has 3" in report.why
    assert verify(lines, None, None).why == "the head of the log is missing"
    assert verify(lines, replace(head, hash=bytes(32)), None).why == "the head does not belong to the last line"


def test_an_end_that_is_cut_off_with_its_head_shows_with_the_key() -> None:
    lines, _head = chain(5)
    forged = sign_head(3, lines[2].hash, OTHER)
    assert verify(lines[:3], forged, None).broken is None
    assert verify(lines[:3], forged, SIGN).why == "the head was not written by this vault"
    # The line's own signature is no head's signature.
    assert verify(lines[:3], Head(3, lines[2].hash, lines[2].signature), SIGN).broken == 4


def test_a_chain_of_somebody_else_shows_with_the_key() -> None:
    lines, head = chain(5, OTHER)
    assert verify(lines, head, None).broken is None
    report = verify(lines, head, SIGN)
    assert report.broken == 1
    assert "not written by this vault" in report.why


@pytest.mark.parametrize("sign", [SIGN, None])
def test_an_empty_log_without_its_first_line(sign: object) -> None:
    head = Head(0, GENESIS, b"")
    report = verify([], head, sign)  # type: ignore[arg-type]
    # Whoever opens a vault writes a first line: none at all, under a key, is a log that was taken away.
    assert (report.broken is None) == (sign is None)
