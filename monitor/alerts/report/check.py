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
    rows = _rows(seal)
    faults = _chain_faults(rows, seal.place)
    kept = None if journal is None else _kept(journal, seal.place)
    if kept is False:
        faults.append("the journal here holds another finding in its place")
    return Checked(str(seal.place.get("finding")), seal.key, len(rows), tuple(faults), kept)


def _rows(seal: Seal) -> Sequence[Mapping[str, Any]]:
    """Return the chained rows of a report in HTML; none of one in PDF."""
    if not seal.content.lstrip().startswith(b"<!doctype html>"):
        return []
    found = DATA.search(seal.content)
    try:
        rows = json.loads(found[1])["rows"] if found else None
        return [dict(row) for row in rows or []]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SealError("the signature holds, but the rows of the finding in the report cannot be read") from None


def _chain_faults(rows: Sequence[Mapping[str, Any]], place: Mapping[str, Any]) -> list[str]:
    faults, before = [], None
    for row in rows:
        link = {name: bytes.fromhex(str(row.get(name, ""))) for name in ("previous", "hash")}
        seq = row.get("seq")
        if "id" in row and not chain.is_intact(int(row["seq"]), {**row, **link}, None):
            faults.append(f"row {seq} is not what its hash says")
        if before is not None and seq == before[0] + 1 and link["previous"] != before[1]:
            faults.append(f"row {seq} does not follow from the one before")
        before = (row["seq"], link["hash"])
    if before is not None and (before[0], before[1].hex()) != (place.get("seq"), place.get("hash")):
        faults.append("the last row is another one than was signed")
    return faults


def _kept(journal: Journal, place: Mapping[str, Any]) -> bool | None:
    """Whether the journal holds what the report says at its place; None where it no longer keeps that."""
    links = journal.links(str(place.get("finding")))
    if not links:
        return None
    return any((link["seq"], link["hash"]) == (place.get("seq"), place.get("hash")) for link in links)
