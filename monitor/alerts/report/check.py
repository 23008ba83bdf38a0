"""Checking a report: its signature, the chain of the rows in it, and, where they are here, the logs it is from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.alerts import chain
from monitor.alerts.journal import Journal
from monitor.alerts.report.seal import Seal, SealError, opened

DATA = re.compile(rb'<script type="application/json" id="evidence">([^<]*)</script></body></html>\n\Z')


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: which key signed, how many rows follow from each other, and what is wrong.

    `is_in_journal` is None where there was no journal to ask, or it no longer keeps the finding.
    """

    finding: str
    key: str
    rows: int
    faults: tuple[str, ...]
    is_in_journal: bool | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def check(report: bytes, journal: Journal | None = None) -> Checked:
    """Check a report; raises `SealError` where its signature does not hold or it is none."""
    seal = opened(report)
    finding = str(seal.place.get("finding"))
    if not finding.isprintable():
        raise SealError("the signature holds, but the finding that it names cannot be read")
    rows = _rows(seal)
    faults = _chain_faults(rows, seal.place)
    kept = None if journal is None else _kept(journal, finding, seal.place)
    if kept is False:
        faults.append("the journal here holds another finding in its place")
    return Checked(finding, seal.key, len(rows), tuple(faults), kept)


@dataclass(frozen=True, slots=True)
class Linked:
    """A row with its place in the chain; `says` is what it holds, None where it holds nothing of a finding."""

    seq: int
    previous: bytes
    hash: bytes
    says: Mapping[str, Any] | None


def _rows(seal: Seal) -> Sequence[Linked]:
    """Return the chained rows of a report in HTML; none of one in PDF. Anybody's key can have signed them."""
    if not seal.content.lstrip().startswith(b"<!doctype html>"):
        return []
    found = DATA.search(seal.content)
    try:
        return [_linked(dict(row)) for row in (json.loads(found[1])["rows"] if found else None) or []]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SealError("the signature holds, but the rows of the finding in the report cannot be read") from None


def _linked(row: Mapping[str, Any]) -> Linked:
    """Return a row; raises `ValueError`, `KeyError` or `TypeError` where it is none."""
    seq, (previous, digest) = row["seq"], (bytes.fromhex(row.get(name) or "") for name in ("previous", "hash"))
    if type(seq) is not int:
        raise TypeError
    link = {"previous": previous, "hash": digest}
    return Linked(seq, previous, digest, {**row, **link} if "id" in row else None)


def _chain_faults(rows: Sequence[Linked], place: Mapping[str, Any]) -> list[str]:
    faults = []
    before: Linked | None = None
    for row in rows:
        if row.says is not None and not chain.is_intact(row.seq, row.says, None):
            faults.append(f"row {row.seq} is not what its hash says")
        if before is not None and row.seq == before.seq + 1 and row.previous != before.hash:
            faults.append(f"row {row.seq} does not follow from the one before")
        before = row
    if before is not None and (before.seq, before.hash.hex()) != (place.get("seq"), place.get("hash")):
        faults.append("the last row is another one than was signed")
    return faults


def _kept(journal: Journal, finding: str, place: Mapping[str, Any]) -> bool | None:
    """Whether the journal holds what the report says at its place; None where it no longer keeps that."""
    links = journal.links(finding)
    if not links:
        return None
    return any((link["seq"], link["hash"]) == (place.get("seq"), place.get("hash")) for link in links)
