"""Checking a report that anybody may have written: rows that are none are refused or told in a line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.alerts.report.check import check
from monitor.alerts.report.seal import SealError, sealed
from tests.monitor.alerts.build import finding, ready_journal

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
AB = "ab" * 32


def report(rows: Any, place: dict[str, Any]) -> bytes:
    data = json.dumps({"rows": rows}).encode()
    page = b'<!doctype html><html><body><script type="application/json" id="evidence">' + data
    return sealed(page + b"</script></body></html>\n", "html", place, KEY)


def test_rows_of_the_journal_follow_from_each_other(tmp_path: Path) -> None:
    journal = ready_journal(tmp_path)
    for step in range(3):
        journal.append(finding(step=step, action="opened" if step == 0 else "updated"))
    links = journal.links("e")
    place = {"finding": "e", "seq": 3, "hash": links[-1]["hash"]}
    held = check(report(links, place), journal)
    assert (held.rows, held.faults, held.is_in_journal, held.holds) == (3, (), True, True)
    assert check(report(links[::2], place), journal).holds
    changed = check(report([{**links[0], "reason": "other"}, {**links[1], "previous": AB}, links[2]], place))
    assert changed.faults == (
        "row 1 is not what its hash says",
        "row 2 is not what its hash says",
        "row 2 does not follow from the one before",
    )
    assert check(report(links[:2], place)).faults == ("the last row is another one than was signed",)
    elsewhere = check(report([], {**place, "hash": AB}), journal)
    assert elsewhere.faults == ("the journal here holds another finding in its place",)
    assert check(report([], {**place, "finding": "nobody's"}), journal).is_in_journal is None
    journal.close()


@pytest.mark.parametrize(
    "rows",
    [
        "rows",
        [3],
        [{}],
        [{"seq": "\x1b[2J"}],
        [{"seq": True}],
        [{"seq": 1, "hash": "no hex"}],
        [{"seq": 1, "previous": 7}],
    ],
)
def test_rows_that_are_none_are_refused_in_a_line(rows: Any) -> None:
    with pytest.raises(SealError, match="the rows of the finding in the report cannot be read"):
        check(report(rows, {"finding": "e"}))


def test_a_row_that_lacks_what_it_is_a_hash_of_is_not_intact() -> None:
    told = check(report([{"seq": 1, "hash": AB, "id": "e"}], {"finding": "e", "seq": 1, "hash": AB}))
    assert told.faults == ("row 1 is not what its hash says",)


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\ud800"])
def test_a_name_that_cannot_be_printed_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SealError, match="the finding that it names cannot be read"):
        check(report([], {"finding": name}), ready_journal(tmp_path))
