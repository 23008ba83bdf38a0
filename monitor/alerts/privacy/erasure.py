"""Erasing what is kept of somebody in findings, cases and dead letters, with a receipt of what had left by then.

Rows go whole, and what their chains need of them stays (`monitor.alerts.erased`): both logs still verify. What sinks
have accepted is held by others: it cannot be recalled, and the receipt lists it, so that they can be asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from monitor.alerts import chain, erased
from monitor.alerts.casework.events import EventKind
from monitor.alerts.casework.store import CASEWORK, Casework
from monitor.alerts.casework.tables import events, states
from monitor.alerts.casework.tables import heads as case_heads
from monitor.alerts.chain import Kind, Link, Sign
from monitor.alerts.journal import Entry, Journal, JournalError, findings
from monitor.alerts.journal import heads as journal_heads
from monitor.alerts.sinks.base import BATCH_ENTRIES
from monitor.alerts.sinks.batch import Batch
from monitor.alerts.sinks.cursors import cursors
from monitor.alerts.sinks.dead import letters
from monitor.identity.vault.vault import Vault
from monitor.types import rfc3339

# What runners of sinks read at a time, at the most.
READ_AHEAD_ENTRIES = 4 * BATCH_ENTRIES
# Of one statement: databases take only so many values.
CHUNK = 500
# Of what is remembered, what the audit log says as well: by the digest nobody can pass another receipt off as this.
AUDITED = ("cause", "findings", "changes", "events", "letters", "sha256")
NOTE = (
    "What is listed under sent was accepted by sinks before it was erased here, or was next in line and may have been "
    "sent. It is held by whoever runs them and cannot be recalled: ask them. Subscribers who were connected when it "
    "was found have been told too, and are not listed. Backups are not looked into."
)


@dataclass(frozen=True, slots=True)
class Person:
    """Everybody who claimed to be, or took part under, a name."""

    name: str
    cause = "person"

    def where(self) -> sa.ColumnElement[bool]:
        """Return which rows of the journal that is."""
        return sa.or_(findings.c.identity == self.name, findings.c.participant == self.name)


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant of a call, whoever they claimed to be."""

    call: str
    participant: str
    cause = "participant"

    def where(self) -> sa.ColumnElement[bool]:
        """Return which rows of the journal that is."""
        return sa.and_(findings.c.call == self.call, findings.c.participant == self.participant)


@dataclass(frozen=True, slots=True)
class Sent:
    """A change of a finding that has left by a sink; `told` is when that was first told of the finding, where known.

    One that is not `accepted` was next in line: it may have been sent in that moment, or be on its way.
    """

    sink: str
    finding: str
    seq: int
    accepted: bool
    told: str | None


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What was erased, when and by whom, and what had left by then; it names neither the person nor the call.

    `changes` are the numbers of the findings' changes, `events` counts what was noted of them, and `labels` those of
    them that were labelled. `cleaned` is False while another process keeps the database from giving up freed bytes.
    """

    id: str
    erased: str
    erased_by: str
    cause: str
    findings: tuple[str, ...]
    changes: tuple[int, ...]
    events: int
    labels: int
    dead_letters: int
    sent: tuple[Sent, ...]
    cleaned: bool

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        values = asdict(self)
        return {**values, **{name: list(values[name]) for name in ("findings", "changes", "sent")}, "note": NOTE}


def erase(
    whom: Person | Participant,
    by: str,
    journal: Journal,
    casework: Casework,
    vault: Vault | None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ErasureReceipt | None:
    """Erase every finding of somebody whole, with its case; None where there is none.

    A finding goes with all its changes, though they claimed to be somebody else in some of them. Where there is a vault
    its audit log has a line of it. Raises `JournalError`, or `VaultError`, and has erased nothing then.
    """
    # It makes the tables that are erased from.
    casework.cases(())
    now = rfc3339(clock())
    with journal.transaction() as connection:
        # The write locks first: nothing is committed or delivered as sent in between.
        for heads in (journal_heads, case_heads):
            connection.execute(sa.update(heads).values(seq=heads.c.seq))
        ids = connection.execute(sa.select(findings.c.id).where(whom.where()).distinct()).scalars().all()
        if not ids:
            return None
        rows = _rows(connection, findings, findings.c.id, ids)
        noted = _rows(connection, events, events.c.finding, ids)
        sent = _sent(connection, rows, journal, casework, ids)
        labels = sum(_delete(connection, states, states.c.finding, ids, states.c.label.is_not(None)))
        _delete(connection, states, states.c.finding, ids)
        numbers = [int(row["seq"]) for row in rows]
        dead = sum(_delete(connection, letters, letters.c.seq, numbers))
        _take(connection, findings, erased.FINDINGS, rows, now, journal.sign, chain.FINDINGS)
        _take(connection, events, erased.CASEWORK, noted, now, journal.sign, CASEWORK)
        receipt = ErasureReceipt(
            uuid4().hex, now, by, whom.cause, tuple(ids), tuple(numbers), len(noted), labels, dead, sent, False
        )
        kept = _remembered(receipt)
        connection.execute(sa.insert(erased.receipts).values(kept))
        # The last before it is committed, in a database that may be another: nothing is erased without a line of it.
        if vault is not None:
            vault.findings_erased(by, {"receipt": receipt.id, **{name: kept[name] for name in AUDITED}})
    cleaned = clean(journal)
    return ErasureReceipt(**{**_fields(receipt), "cleaned": cleaned})


def clean(journal: Journal) -> bool:
    """Remove erased bytes from the files, where there are any; False where another process prevents it."""
    waits = sa.select(sa.func.count()).select_from(erased.receipts).where(erased.receipts.c.cleaned == 0)
    try:
        with journal.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if connection.execute(waits).scalar_one() == 0:
                return True
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("VACUUM")
                if connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
                    return False
            else:
                for table in (findings, events, states, letters):
                    connection.exec_driver_sql(f"VACUUM FULL {table.name}")
            connection.execute(sa.update(erased.receipts).values(cleaned=1))
    except sa.exc.SQLAlchemyError:
        journal.engine.dispose()
        return False
    return True


def sweep(journal: Journal) -> int:
    """Clean what could not be when it was erased; returns 0, since nothing else goes. Raises `JournalError`."""
    if not clean(journal):
        raise JournalError("erased findings are still in the journal's file: another process holds it")
    return 0


def remembered(journal: Journal) -> list[dict[str, Any]]:
    """Return what is kept of every erasure as JSON values, the newest first: counts, no names and no ids."""
    with journal.transaction() as connection:
        rows = connection.execute(sa.select(erased.receipts).order_by(erased.receipts.c.erased.desc())).mappings()
        return [{**row, "sent": json.loads(row["sent"]), "cleaned": bool(row["cleaned"])} for row in rows]


def digest_of(receipt: Mapping[str, Any]) -> str:
    """Return what is remembered of a receipt, by which it is recognised when somebody shows it, in hexadecimal.

    Whether the files were cleaned is not in it, since that may come later.
    """
    content = {name: value for name, value in receipt.items() if name not in ("cleaned", "note")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _fields(receipt: ErasureReceipt) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in ErasureReceipt.__slots__}


def _remembered(receipt: ErasureReceipt) -> dict[str, Any]:
    sinks: dict[str, int] = {}
    for one in receipt.sent:
        sinks[one.sink] = sinks.get(one.sink, 0) + 1
    return {
        "id": receipt.id,
        "erased": receipt.erased,
        "actor": receipt.erased_by,
        "cause": receipt.cause,
        "findings": len(receipt.findings),
        "changes": len(receipt.changes),
        "events": receipt.events,
        "labels": receipt.labels,
        "letters": receipt.dead_letters,
        "sent": json.dumps(sinks),
        "sha256": digest_of(receipt.as_json()),
        "cleaned": 0,
    }


def _rows(
    connection: sa.Connection, table: sa.Table, column: sa.Column[Any], values: Sequence[Any]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for some in _chunks(values):
        found += [dict(row) for row in connection.execute(sa.select(table).where(column.in_(some))).mappings()]
    return sorted(found, key=lambda row: int(row["seq"]))


def _delete(
    connection: sa.Connection,
    table: sa.Table,
    column: sa.Column[Any],
    values: Sequence[Any],
    *where: sa.ColumnElement[bool],
) -> list[int]:
    """Delete the rows with these values; returns how many went, a number a statement."""
    return [connection.execute(sa.delete(table).where(column.in_(some), *where)).rowcount for some in _chunks(values)]


def _take(
    connection: sa.Connection,
    table: sa.Table,
    log: str,
    rows: Iterable[Mapping[str, Any]],
    now: str,
    sign: Sign | None,
    kind: Kind,
) -> None:
    """Delete rows of a log and leave their links; of a row that was changed the link says so for ever."""
    left = []
    for row in rows:
        seq = int(row["seq"])
        link = Link(*(bytes(row[name] or b"") for name in ("previous", "hash", "signature")))
        mark = chain.erase_mark(seq, link, now, sign, kind) if chain.is_intact(seq, row, sign, kind) else b""
        links = {"previous": link.previous, "hash": link.hash, "signature": link.signature}
        left.append({"log": log, "seq": seq, **links, "erased": now, "mark": mark})
    for some in _chunks(left):
        connection.execute(sa.insert(erased.links), list(some))
        _delete(connection, table, table.c.seq, [one["seq"] for one in some])


def _sent(
    connection: sa.Connection,
    rows: Sequence[Mapping[str, Any]],
    journal: Journal,
    casework: Casework,
    ids: Sequence[str],
) -> tuple[Sent, ...]:
    """Return what sinks have had of these rows: all up to their cursors, but what they refused or were not told."""
    refused = {
        (row["sink"], int(row["seq"]))
        for row in _rows(connection, letters, letters.c.seq, [int(row["seq"]) for row in rows])
    }
    told = _told(connection, casework, ids)
    entries = {one.seq: one for row in rows if isinstance(one := journal.row(row), Entry)}
    sent = []
    for cursor in connection.execute(sa.select(cursors).order_by(cursors.c.name)).all():
        # What a runner has read it may still send, and its cursor is written a moment after what it says.
        ahead = sa.select(findings.c.seq).where(findings.c.seq > cursor.seq).order_by(findings.c.seq)
        reached = max(connection.execute(ahead.limit(READ_AHEAD_ENTRIES)).scalars(), default=int(cursor.seq))
        for row in rows:
            seq, entry = int(row["seq"]), entries.get(int(row["seq"]))
            is_told = entry is None or Batch((entry,), seq).told_to(cursor.name).items
            if seq <= reached and is_told and (cursor.name, seq) not in refused:
                first_told = told.get((row["id"], cursor.name))
                sent.append(Sent(cursor.name, row["id"], seq, seq <= int(cursor.seq), first_told))
    return tuple(sent)


def _told(connection: sa.Connection, casework: Casework, ids: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return when each sink was first told of each finding, as the cases have it."""
    told: dict[tuple[str, str], str] = {}
    for row in _rows(connection, events, events.c.finding, ids):
        event = casework.event(row)
        if event is not None and event.kind is EventKind.TOLD:
            told.setdefault((event.finding, str(event.details["sink"])), rfc3339(event.time))
    return told


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[first : first + CHUNK] for first in range(0, len(values), CHUNK))
