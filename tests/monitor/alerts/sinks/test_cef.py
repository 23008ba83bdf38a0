"""A line of syslog with CEF in it: whatever calls and participants are named, it is one line with its own fields."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.journal import Entry, Tampered
from monitor.alerts.sinks.base import Gap
from monitor.alerts.sinks.cef import MAX_SEQUENCE_ID, framed, syslog_line
from monitor.alerts.sinks.event import event_of
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import NOON, finding

LINE = re.compile(
    r"<(\d+)>1 (\S+) (\S+) sidewitness - (\S+) \[meta sequenceId=\"(\d+)\"\] CEF:0\|(.*)", re.DOTALL
)  # RFC 5424 section 6


def fields(line: str) -> dict[str, str]:
    """Read CEF back, as its guide says: an unescaped `=` ends a name, a name has no space."""
    extension = re.split(r"(?<!\\)\|", line, maxsplit=7)[-1]
    parts = re.split(r"(?:^| )([A-Za-z0-9]+)(?<!\\)=", extension)[1:]
    unescaped = [re.sub(r"\\(.)", r"\1", value) for value in parts[1::2]]
    return dict(zip(parts[::2], unescaped, strict=True))


def test_a_finding_is_a_line() -> None:
    line = syslog_line(event_of(Entry(4, finding())), 16, "host-1").decode()
    found = LINE.fullmatch(line)
    assert found is not None
    assert found.groups()[:5] == ("130", "2026-03-01T12:00:00.250Z", "host-1", "finding.opened", "4")
    assert re.match(r"Sidewitness\|Sidewitness\|[^|]+\|finding.opened\|alert: lips .*\|9\|rt=1772366400250 ", found[6])
    assert fields(line) == {
        "rt": "1772366400250", "cn1Label": "seq", "cn1": "4", "cs1Label": "event_id", "cs1": "e.0",
        "msg": "alert: lips disagree with voice (opened)", "externalId": "e", "act": "opened", "outcome": "alert",
        "reason": "lips_disagree_with_voice", "cs2Label": "call", "cs2": "board", "cs3Label": "participant",
        "cs3": "p1", "cs4Label": "identity", "cs4": "Ada", "cs5Label": "scores",
        "cs5": '{"synchrony":{"score":-0.1,"p_value":0.001,"reason":null}}', "cs6Label": "evidence",
        "cs6": '{"synchrony":{"offsets_ms":[0,40]}}',
    }  # fmt: skip


@pytest.mark.parametrize(("item", "priority"), [(Gap(1, 3), 132), (Tampered(7), 130)])
def test_what_is_no_finding_is_a_line_too(item: Gap | Tampered, priority: int) -> None:
    line = syslog_line(event_of(item, NOON), 16, "-").decode()
    found = LINE.fullmatch(line)
    assert found is not None
    assert int(found[1]) == priority


# Letters that end fields and lines are rare in a random text.
NAMES = st.text(st.sampled_from("=|\\\n\r ab")) | st.text()


@given(NAMES, NAMES, NAMES)
def test_no_name_ends_a_field_or_a_line(call: str, participant: str, identity: str) -> None:
    entry = Entry(1, replace(finding(), key=ParticipantKey(call, participant, identity)))
    line = syslog_line(event_of(entry), 16, "-").decode()
    assert not re.search(r"[\x00-\x1f\x7f]", line)
    expected = {"cn1": "1", "outcome": "alert", "cs1": "e.0"}
    if not any(re.search(r"(?:^| )[A-Za-z0-9]+$", text) for text in (call, participant, identity)):
        assert expected.items() <= fields(line).items()
    # Every `=` of a name is escaped.
    extension = line.split("|9|", 1)[1]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*=", extension)) == 20


def test_a_frame_counts_octets() -> None:
    assert framed("Zoë".encode()) == b"4 Zo\xc3\xab"


def test_numbers_of_syslog_wrap_around() -> None:
    for seq, number in ((1, 1), (MAX_SEQUENCE_ID, MAX_SEQUENCE_ID), (MAX_SEQUENCE_ID + 1, 1)):
        assert f'sequenceId="{number}"'.encode() in syslog_line(event_of(Entry(seq, finding())), 16, "-")
