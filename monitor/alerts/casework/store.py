"""The log of casework in the journal's database: appended in one order, chained, and read by finding.

Numbers, chain and anchors are those of the journal (`monitor.alerts.journal`): one row, the head, hands out the numbers
inside the transaction that writes the event, so writers in any process take turns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import structlog

from monitor.alerts import chain, erased
from monitor.alerts.casework.case import Case, advance, fold
from monitor.alerts.casework.events import CaseEvent, EventKind, NewEvent, checked, parse_details
from monitor.alerts.casework.tables import MIGRATIONS, events, heads, states
from monitor.alerts.chain import ChainHead, ChainReport, Kind, Sign
from monitor.alerts.journal import Journal, JournalError
from monitor.alerts.plain import encode
from monitor.identity.vault.anchor import Anchor, AnchorError, Noted
from monitor.storage.dialect import take_time
from monitor.types import parse_rfc3339, rfc3339

CASEWORK = Kind(
    "case event",
    b"sidewitness case event 1\0",
    b"sidewitness casework head 1\0",
    ("finding", "event", "time", "actor", "details"),
)
EVENTS_KEPT = 1_000_000

Check = Callable[[Case], object]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that was written, and the case after it."""

    event: CaseEvent
    case: Case


@dataclass(frozen=True, slots=True)
class CaseLog:
    """The events of a finding, the oldest first; `changed` are the numbers of those that somebody changed since."""

    finding: str
    events: tuple[CaseEvent, ...] = ()
    changed: tuple[int, ...] = ()

    @property
    def case(self) -> Case:
        """What they come to; what was changed counts for nothing."""
        return fold(self.finding, self.events)


class Casework:
    """Synchronous, safe to use from several threads; raises `JournalError`, and `CaseworkError` for bad events.

    `sign` is the vault's keyed hash, without which the chain has hashes alone; heads are noted in `anchors`. Times are
    those of `clock`, in UTC.
    """

    def __init__(
        self,
        journal: Journal,
        sign: Sign | None = None,
        anchors: Sequence[Anchor] = (),
        events_kept: int = EVENTS_KEPT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._sign, self._anchors, self._events_kept, self._clock = sign, anchors, events_kept, clock
        self._lock = threading.Lock()
        self._migrated = False
        self._newest = 0

    def append(self, new: NewEvent, check: Check | None = None) -> Recorded:
        """Write an event; `check` may refuse by raising, seeing the case as it stands while nobody else can write."""
        new = checked(new)
        self._migrate()
        with self._journal.transaction() as connection:
            # The update comes first: it takes the write lock, so that case and number are ours until the commit.
            reached = sa.case((heads.c.seq < self._newest, self._newest), else_=heads.c.seq)
            connection.execute(sa.update(heads).values(seq=reached + 1))
            head = _head(connection)
            before = self._of(connection, new.finding).case
            if check is not None:
                check(before)
            now = self._clock()
            time = now.replace(microsecond=now.microsecond // 1000 * 1000)
            event = CaseEvent(head.seq, new.finding, new.kind, time, new.actor, new.details)
            head = self._prune(connection, replace(head, hash=self._insert(connection, event, head.hash)))
            after = advance(before, event)
            _write_state(connection, after)
            _write_head(connection, chain.sign_head(head, self._sign, CASEWORK))
        self._newest = max(self._newest, head.seq)
        self._note(head)
        return Recorded(event, after)

    def of(self, finding: str) -> CaseLog:
        """Return the events of a finding; none where there are none."""
        self._migrate()
        with self._journal.transaction() as connection:
            return self._of(connection, finding)

    def cases(self, findings: Iterable[str]) -> dict[str, Case]:
        """Return the cases of these findings, by their id; one without events is an open case."""
        self._migrate()
        wanted = list(dict.fromkeys(findings))
        query = sa.select(events).where(events.c.finding.in_(wanted)).order_by(events.c.seq)
        with self._journal.transaction() as connection:
            rows = connection.execute(query).mappings().all()
        found = [event for row in rows if (event := self.event(row)) is not None]
        return {finding: fold(finding, found) for finding in wanted}

    def labelled(self) -> dict[str, Case]:
        """Return every case with a label, by the id of its finding."""
        self._migrate()
        with self._journal.transaction() as connection:
            wanted = connection.execute(sa.select(states.c.finding).where(states.c.label.is_not(None))).scalars().all()
        return {name: case for name, case in self.cases(wanted).items() if case.label is not None}

    def read(self, after: int = 0, limit: int = 100) -> list[CaseEvent]:
        """Return up to `limit` events with numbers above `after`, of all findings; none that was changed."""
        self._migrate()
        query = sa.select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
        with self._journal.transaction() as connection:
            rows = connection.execute(query).mappings().all()
        return [event for row in rows if (event := self.event(row)) is not None]

    def forget_before(self, time: datetime) -> int:
        """Prune events that are older than `time`, up to the first that is not; returns how many went.

        A case of which every event went is an open one again, as one that nobody has touched.
        """
        self._migrate()
        with self._journal.transaction() as connection:
            connection.execute(sa.update(heads).values(seq=heads.c.seq))
            head, oldest_kept = _head(connection), sa.select(sa.func.min(events.c.seq))
            kept = connection.execute(oldest_kept.where(events.c.time >= rfc3339(time))).scalar_one()
            limit = head.seq if kept is None else int(kept) - 1
            if limit <= head.pruned:
                return 0
            count, head = self._forget(connection, head, limit)
            held = sa.select(events.c.finding)
            connection.execute(sa.delete(states).where(states.c.finding.not_in(held)))
            _write_head(connection, chain.sign_head(head, self._sign, CASEWORK))
        return count

    def verify(self) -> ChainReport:
        """Check the whole chain, and its end against what was noted of it; makes nothing where there is none yet."""
        with self._journal.transaction() as connection:
            if not sa.inspect(connection).has_table(events.name):
                return ChainReport(0, chain.GENESIS.hex(), tuple(self._against_nothing()))
            take_time(connection)
            head = _head(connection)
            rows = erased.rows_with_links(connection, events, erased.CASEWORK)
            report = chain.verify(rows, head, self._sign, CASEWORK)
            return replace(report, faults=(*report.faults, *self._against_notes(connection, head)))

    def _of(self, connection: sa.Connection, finding: str) -> CaseLog:
        query = sa.select(events).where(events.c.finding == finding).order_by(events.c.seq)
        rows = connection.execute(query).mappings().all()
        read = [(int(row["seq"]), self.event(row)) for row in rows]
        held = tuple(event for _, event in read if event is not None)
        changed = tuple(seq for seq, event in read if event is None)
        if changed:
            _log().error("case events were changed after they were committed: they do not count", seqs=changed)
        return CaseLog(finding, held, changed)

    def event(self, row: Any) -> CaseEvent | None:
        """Return an event of the database, None for one that somebody changed."""
        seq = int(row["seq"])
        if not chain.is_intact(seq, row, self._sign, CASEWORK):
            return None
        try:
            kind, time = EventKind(row["event"]), parse_rfc3339(row["time"])
            return CaseEvent(seq, row["finding"], kind, time, row["actor"], parse_details(row["details"]))
        except (TypeError, ValueError):
            return None

    def _insert(self, connection: sa.Connection, event: CaseEvent, previous: bytes) -> bytes:
        row = {
            "finding": event.finding,
            "event": str(event.kind),
            "time": rfc3339(event.time),
            "actor": event.actor,
            "details": encode(event.details),
        }
        link = chain.link(event.seq, row, previous, self._sign, CASEWORK)
        links = {"previous": link.previous, "hash": link.hash, "signature": link.signature}
        connection.execute(sa.insert(events).values(seq=event.seq, **row, **links))
        return link.hash

    def _prune(self, connection: sa.Connection, head: ChainHead) -> ChainHead:
        # In strides of a tenth, so that most appends delete nothing.
        if head.seq - head.pruned <= self._events_kept + self._events_kept // 10:
            return head
        return self._forget(connection, head, head.seq - self._events_kept)[1]

    def _forget(self, connection: sa.Connection, head: ChainHead, limit: int) -> tuple[int, ChainHead]:
        """Delete the events up to `limit`: the chain begins behind them."""
        pruned_hash = erased.last_hash(connection, events, erased.CASEWORK, limit) or head.pruned_hash
        count = erased.forget(connection, events, erased.CASEWORK, limit)
        return count, replace(head, pruned=limit, pruned_hash=pruned_hash)

    def _against_notes(self, connection: sa.Connection, head: ChainHead) -> list[str]:
        faults = []
        for anchor in self._anchors:
            if (noted := _noted(anchor)) is None:
                continue
            query = sa.select(events.c.hash).where(events.c.seq == noted.seq)
            kept = connection.execute(query).scalar_one_or_none()
            if noted.seq > head.seq:
                faults.append(f"case events {head.seq + 1} to {noted.seq} are missing, by {anchor.place}")
            elif kept is not None and kept != noted.hash:
                faults.append(f"case event {noted.seq} is another one than {anchor.place} says")
        return faults

    def _against_nothing(self) -> list[str]:
        noted = [(anchor.place, note.seq) for anchor in self._anchors if (note := _noted(anchor)) is not None]
        return [f"case events 1 to {seq} are missing, by {place}" for place, seq in noted]

    def _note(self, head: ChainHead) -> None:
        for anchor in self._anchors:
            try:
                anchor.note(Noted(head.seq, head.hash))
            except AnchorError as error:
                _log().warning("the head of the casework is not noted", why=str(error))

    def _migrate(self) -> None:
        """Create or migrate the tables, when they are first used."""
        with self._lock:
            if self._migrated:
                return
            with self._journal.transaction() as connection:
                is_new = not sa.inspect(connection).has_table(events.name)
                MIGRATIONS.upgrade(connection)
                head = _head(connection)
                if is_new:
                    # Signed from the beginning: a log in which nothing has happened yet is nobody else's.
                    _write_head(connection, chain.sign_head(head, self._sign, CASEWORK))
            for anchor in self._anchors:
                # No number is given twice, whatever the database says.
                noted = _noted(anchor)
                self._newest = max(self._newest, head.seq, noted.seq if noted is not None else 0)
            self._migrated = True


def _head(connection: sa.Connection) -> ChainHead:
    row = connection.execute(sa.select(heads)).one()
    links = (bytes(value or b"") for value in (row.hash, row.pruned_hash, row.signature))
    return ChainHead(int(row.seq), int(row.pruned), *links)


def _write_head(connection: sa.Connection, head: ChainHead) -> None:
    links = {"hash": head.hash, "pruned_hash": head.pruned_hash, "signature": head.signature}
    connection.execute(sa.update(heads).values(pruned=head.pruned, **links))


def _write_state(connection: sa.Connection, case: Case) -> None:
    values = {"state": str(case.state), "label": case.label and str(case.label), "assignee": case.assignee}
    updated = connection.execute(sa.update(states).where(states.c.finding == case.finding).values(**values))
    if updated.rowcount == 0:
        connection.execute(sa.insert(states).values(finding=case.finding, **values))


def _noted(anchor: Anchor) -> Noted | None:
    try:
        return anchor.read()
    except AnchorError as error:
        raise JournalError(str(error)) from None


def _log() -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("casework")
    return logger
