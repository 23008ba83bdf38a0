"""Everything that is held of one person, for that person: who asks what is kept of them is given this."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.sinks.cursors import Cursors
from monitor.alerts.sinks.dead import DeadLetters
from monitor.alerts.wire import Message, finding_message
from monitor.identity.vault.vault import Vault
from monitor.types import rfc3339

PAGE = 1000
NOTE = (
    "The reference itself, the numbers that a face, a voice and movements are compared by, is sealed and not in this "
    "file; its size and history are. What sinks were sent is held by others: ask them. Backups are not looked into."
)


def held(name: str, journal: Journal, casework: Casework, vault: Vault | None) -> dict[str, Any]:
    """Return as JSON values what is held of whoever is, or was, enrolled under `name` or took part under it.

    That is what claims the identity, and findings of participants of the very name. Raises `JournalError` or
    `VaultError`.
    """
    findings = list(_findings(journal, name))
    ids = dict.fromkeys(message["id"] for message in findings)
    return {
        "name": name,
        "made": rfc3339(datetime.now(UTC)),
        "note": NOTE,
        **(_enrolled(vault, name) if vault is not None else {}),
        "findings": findings,
        "cases": [
            {
                "finding": event.finding,
                "event": str(event.kind),
                "time": rfc3339(event.time),
                "actor": event.actor,
                "details": dict(event.details),
            }
            for finding in ids
            for event in casework.of(finding).events
        ],
        "sent": _sent(journal, [message["seq"] for message in findings]),
    }


def _findings(journal: Journal, name: str) -> Iterable[Message]:
    after = 0
    while rows := journal.read(after, PAGE):
        after = rows[-1].seq
        for row in rows:
            if isinstance(row, Entry) and name in (row.finding.key.identity, row.finding.key.participant):
                yield finding_message(row.seq, row.finding)


def _enrolled(vault: Vault, name: str) -> dict[str, Any]:
    info = vault.show(name)
    receipts = [receipt.as_json() for receipt in vault.receipts(name)]
    numbers = {receipt["identity"] for receipt in receipts} | ({info.id} if info is not None else set())
    lines, after = [], 0
    while entries := vault.audit(after, PAGE):
        after = entries[-1].seq
        lines += [entry.as_json() for entry in entries if entry.identity in numbers]
    return {
        "identity": info.as_json() if info is not None else None,
        "enrolments": [version.as_json() for version in vault.history(name)] if info is not None else [],
        "receipts": receipts,
        "audit": lines,
    }


def _sent(journal: Journal, numbers: list[int]) -> list[dict[str, Any]]:
    """Return which sinks may hold findings of these numbers: all up to their cursors, but what they have refused."""
    letters = DeadLetters(journal)
    sent = []
    for sink, cursor in Cursors(journal).all().items():
        refused = {letter.seq for letter in letters.list(sink, limit=PAGE * 10)}
        reached = [seq for seq in numbers if seq <= cursor and seq not in refused]
        if reached:
            sent.append({"sink": sink, "findings": len(reached), "newest": reached[-1]})
    return sent
