"""The journal: findings in the order in which they were committed, numbered 1, 2, 3, ... without holes.

`append` returns a sequence number only after the commit is on disk, so a finding that was sent can be sent again
after any crash. One row, the head, hands out the numbers inside the same transaction: it serialises
writers (several processes, or several machines on PostgreSQL), so commit order is number order and a reader
that has seen N never misses something below N.

The rows are a hash chain (`chain`), whose newest head is noted outside the database. What is read is held against it: a
finding that was changed comes as `Tampered`, one that was taken away leaves a hole in the numbers, and both are told.
Neither stops anything: findings of now must not wait for those of before.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import IntegrityError

from engines.errors import SidewitnessError
from monitor.alerts import chain, erased
from monitor.alerts.chain import ChainHead, ChainReport, Sign
from monitor.alerts.finding import Finding
from monitor.alerts.finding_row import finding_row
from monitor.identity.vault.anchor import Anchor, AnchorError, Noted
from monitor.storage.database import Database, Wording
from monitor.storage.dialect import notify, take_time, try_to_write
from monitor.storage.migrate import Migrations
from monitor.types import Claim, ParticipantKey, parse_rfc3339, rfc3339

MIGRATIONS = Migrations(Path(__file__).parent / "migrations", lock=8480_2025)
# Where processes on one PostgreSQL wake each other after a commit; each says its `Journal.writer`.
CHANNEL = "sidewitness_findings"
MAX_SEQ = 2**63 - 1
ADVICE = {
    "disk is full": "free space on the disk of the journal; findings wait in memory until then",
    "readonly": "make the journal's folder writable; findings wait in memory until then",
    "locked": "another process holds the journal; findings wait in memory until it lets go",
    "unable to open": "make the journal's folder exist and be writable, or set SIDEWITNESS_STATE_DIR",
    "malformed": "the file is damaged: move it away and restart",
    "not a database": "the file is no journal: move it away and restart",
}

metadata = sa.MetaData()
findings = sa.Table(
    "findings",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.Text) for name in ("id", "action", "call", "participant", "identity", "time")),
    *(
        sa.Column(name, sa.Text)
        for name in ("verdict", "reason", "scores", "evidence", "claim", "handling", "conditions")
    ),
    sa.Column("step", sa.Integer),
    *(sa.Column(name, sa.LargeBinary) for name in ("previous", "hash", "signature")),
)
heads = sa.Table(
    "journal_head",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger),
    sa.Column("pruned", sa.BigInteger),
    *(sa.Column(name, sa.LargeBinary) for name in ("hash", "pruned_hash", "signature")),
)


class JournalError(SidewitnessError):
    """The journal cannot be read or written now; the message is one line that says what to do."""


WORDING = Wording(JournalError, "journal", "findings wait in memory until then", ADVICE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed finding and its number."""

    seq: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class Tampered:
    """A number whose finding was changed after it was committed: it is told and not served."""

    seq: int


Row = Entry | Tampered


@dataclass(frozen=True, slots=True)
class Head:
    """`seq` is the newest committed number (0 when none), `pruned` the newest that was pruned."""

    seq: int
    pruned: int


class Journal:
    """A synchronous journal on one database, safe to use from several threads; raises `JournalError` only.

    `sign` is the vault's keyed hash; without it the chain has hashes alone. Heads are noted in `anchors`.
    """

    def __init__(
        self, url: str, max_findings: int = 100_000, sign: Sign | None = None, anchors: Sequence[Anchor] = ()
    ) -> None:
        self.database = Database(url, WORDING)
        # Who it is among the processes that write to one database.
        self.writer = secrets.token_hex(8)
        self._max_findings = max_findings
        self.sign = sign
        self._anchors = anchors
        # The newest number that was ever seen: none is given twice, whatever the database says.
        self._newest = 0
        self._complained: set[int] = set()

    @property
    def engine(self) -> sa.Engine:
        """What connects to its database."""
        return self.database.engine

    @property
    def file(self) -> Path | None:
        """The file that it is in, None where it is no file."""
        return self.database.file

    def open(self) -> None:
        """Create or migrate the tables, and hold the end of the chain against what was noted of it."""
        self.database.keep_private()
        with self.transaction() as connection:
            MIGRATIONS.upgrade(connection)
            self._chain_older(connection)
            head = _head(connection)
        self._newest = head.seq
        self._hold_against_notes(head)
        self._note(head)

    def append(self, finding: Finding) -> int:
        """Commit a finding and return its number; a change that is already there, by (id, step), keeps its number."""
        row = finding_row(finding)
        try:
            with self.transaction() as connection:
                # The update comes first: it takes the write lock, so that the number is ours until the commit.
                reached = sa.case((heads.c.seq < self._newest, self._newest), else_=heads.c.seq)
                connection.execute(sa.update(heads).values(seq=reached + 1))
                head = _head(connection)
                link = chain.link(head.seq, row, head.hash, self.sign)
                links = {"previous": link.previous, "hash": link.hash, "signature": link.signature}
                connection.execute(sa.insert(findings).values(seq=head.seq, **row, **links))
                head = self._prune(connection, replace(head, hash=link.hash))
                _write_head(connection, chain.sign_head(head, self.sign))
                notify(connection, CHANNEL, self.writer)
        except IntegrityError:
            return self._number_of(finding)
        self._newest = max(self._newest, head.seq)
        self._note(head)
        return head.seq

    def read(self, after: int, limit: int = 100) -> list[Row]:
        """Return up to `limit` findings with numbers above `after`, oldest first; those that were changed as such."""
        query = sa.select(findings).where(findings.c.seq > min(after, MAX_SEQ)).order_by(findings.c.seq).limit(limit)
        return self._rows(query)

    def changes(self, finding: str, limit: int = 1000) -> list[Row]:
        """Return the first `limit` changes of an episode that are kept, oldest first; none where it is not known."""
        if "\0" in finding:
            # In no text of PostgreSQL, which takes it for no question either.
            return []
        return self._rows(sa.select(findings).where(findings.c.id == finding).order_by(findings.c.seq).limit(limit))

    def intact(self, finding: str) -> list[Finding]:
        """Return what `changes` does of those that nobody has changed since."""
        return [row.finding for row in self.changes(finding) if isinstance(row, Entry)]

    def at(self, seqs: Sequence[int]) -> list[Row]:
        """Return the findings with these numbers that are kept, oldest first."""
        return self._rows(sa.select(findings).where(findings.c.seq.in_(seqs)).order_by(findings.c.seq))

    def links(self, finding: str, limit: int = 1000) -> list[dict[str, Any]]:
        """Return the rows of an episode as they stand in the chain, hashes in hexadecimal, without signatures."""
        query = sa.select(findings).where(findings.c.id == finding).order_by(findings.c.seq).limit(limit)
        with self.transaction() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        for row in rows:
            del row["signature"]
            row |= {name: bytes(row[name] or b"").hex() for name in ("previous", "hash")}
        return rows

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        with self.transaction() as connection:
            rows = [self.row(row) for row in connection.execute(query).mappings()]
        changed = {row.seq for row in rows if isinstance(row, Tampered)} - self._complained
        if changed:
            self._complained |= changed
            _log().error("findings were changed after they were committed: they are not served", seqs=sorted(changed))
        return rows

    def verify(self) -> ChainReport:
        """Check the whole chain, and its end against what was noted of it."""
        with self.transaction() as connection:
            take_time(connection)
            head = _head(connection)
            report = chain.verify(erased.rows_with_links(connection, findings, erased.FINDINGS), head, self.sign)
            return replace(report, faults=(*report.faults, *self._against_notes(connection, head)))

    def head(self) -> Head:
        """Return the newest number and the newest pruned one."""
        with self.transaction() as connection:
            head = _head(connection)
        return Head(head.seq, head.pruned)

    def forget_before(self, time: datetime) -> int:
        """Prune what is older than `time`, up to the first finding that is not; returns how many went."""
        with self.transaction() as connection:
            # The write lock first: no finding is committed in between.
            connection.execute(sa.update(heads).values(seq=heads.c.seq))
            head, oldest_kept = _head(connection), sa.select(sa.func.min(findings.c.seq))
            kept = connection.execute(oldest_kept.where(findings.c.time >= rfc3339(time))).scalar_one()
            limit = head.seq if kept is None else int(kept) - 1
            if limit <= head.pruned:
                return 0
            count, head = self._forget(connection, head, limit)
            _write_head(connection, chain.sign_head(head, self.sign))
        return count

    def check(self) -> None:
        """Write and commit without changing anything; raises `JournalError` where a finding could not be written."""
        with self.transaction() as connection:
            try_to_write(connection, heads.c.seq)

    def close(self) -> None:
        """Release the connections; the journal can be used again afterwards."""
        self.database.close()

    def _prune(self, connection: sa.Connection, head: ChainHead) -> ChainHead:
        # In strides of a tenth, so that most appends delete nothing.
        if head.seq - head.pruned <= self._max_findings + self._max_findings // 10:
            return head
        return self._forget(connection, head, head.seq - self._max_findings)[1]

    def _forget(self, connection: sa.Connection, head: ChainHead, limit: int) -> tuple[int, ChainHead]:
        """Delete the findings up to `limit`: the chain begins behind them."""
        pruned_hash = erased.last_hash(connection, findings, erased.FINDINGS, limit) or head.pruned_hash
        count = erased.forget(connection, findings, erased.FINDINGS, limit)
        return count, replace(head, pruned=limit, pruned_hash=pruned_hash)

    def row(self, row: Any) -> Row:
        """Return a row of the table as it may be served."""
        seq = int(row["seq"])
        if not chain.is_intact(seq, row, self.sign):
            return Tampered(seq)
        try:
            return _entry(row)
        except (TypeError, ValueError):
            return Tampered(seq)

    def _chain_older(self, connection: sa.Connection) -> None:
        """Chain the findings of a version that did not; raises `JournalError` where there was a chain before."""
        if connection.execute(sa.select(heads.c.hash)).scalar_one() is not None:
            return
        for anchor in self._anchors:
            if (noted := _noted(anchor)) is not None:
                raise JournalError(
                    f"the journal has no chain, finding {noted.seq} is noted in {anchor.place}: restore its newest "
                    f"backup, or, if you put an older version's file there yourself, move {anchor.place} away"
                )
        seq, pruned = connection.execute(sa.select(heads.c.seq, heads.c.pruned)).one()
        previous, count = chain.GENESIS, 0
        for row in connection.execute(sa.select(findings).order_by(findings.c.seq)).mappings().all():
            link = chain.link(int(row["seq"]), _plain(row), previous, self.sign)
            links = {"previous": link.previous, "hash": link.hash, "signature": link.signature}
            connection.execute(sa.update(findings).where(findings.c.seq == row["seq"]).values(links))
            previous, count = link.hash, count + 1
        head = ChainHead(int(seq), int(pruned), previous)
        _write_head(connection, chain.sign_head(head, self.sign))
        if count:
            _log().warning("findings of an older version are chained as they are from now on", count=count)

    def _hold_against_notes(self, head: ChainHead) -> None:
        with self.transaction() as connection:
            faults = self._against_notes(connection, head)
        for fault in faults:
            _log().error("the journal is not what was noted of it: what is missing is told as a gap", why=fault)

    def _against_notes(self, connection: sa.Connection, head: ChainHead) -> list[str]:
        faults = []
        for anchor in self._anchors:
            noted = _noted(anchor)
            if noted is None:
                continue
            self._newest = max(self._newest, noted.seq)
            kept = connection.execute(
                sa.select(findings.c.hash).where(findings.c.seq == noted.seq)
            ).scalar_one_or_none()
            if noted.seq > head.seq:
                faults.append(f"findings {head.seq + 1} to {noted.seq} are missing, by {anchor.place}")
            elif kept is not None and kept != noted.hash:
                faults.append(f"finding {noted.seq} is another one than {anchor.place} says")
        return faults

    def _note(self, head: ChainHead) -> None:
        for anchor in self._anchors:
            try:
                anchor.note(Noted(head.seq, head.hash))
            except AnchorError as error:
                _log().warning("the head of the journal is not noted", why=str(error))

    def _number_of(self, finding: Finding) -> int:
        query = sa.select(findings.c.seq).where(findings.c.id == finding.id, findings.c.step == finding.step)
        with self.transaction() as connection:
            return int(connection.execute(query).scalar_one())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit what is done with the connection, or nothing of it; raises `JournalError`, or `IntegrityError`."""
        with self.database.transaction() as connection:
            yield connection


def _head(connection: sa.Connection) -> ChainHead:
    row = connection.execute(sa.select(heads)).one()
    links = (bytes(value or b"") for value in (row.hash, row.pruned_hash, row.signature))
    return ChainHead(int(row.seq), int(row.pruned), *links)


def _plain(row: Any) -> dict[str, Any]:
    return dict(row)


def _write_head(connection: sa.Connection, head: ChainHead) -> None:
    links = {"hash": head.hash, "pruned_hash": head.pruned_hash, "signature": head.signature}
    connection.execute(sa.update(heads).values(pruned=head.pruned, **links))


def _noted(anchor: Anchor) -> Noted | None:
    try:
        return anchor.read()
    except AnchorError as error:
        raise JournalError(str(error)) from None


def _log() -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("journal")
    return logger


def _entry(row: Any) -> Entry:
    finding = Finding(
        id=row["id"],
        step=row["step"],
        action=row["action"],
        key=ParticipantKey(row["call"], row["participant"], row["identity"], row["claim"] and Claim(row["claim"])),
        time=parse_rfc3339(row["time"]),
        verdict=row["verdict"],
        reason=row["reason"],
        scores=json.loads(row["scores"]),
        evidence=json.loads(row["evidence"]),
        handling=None if row["handling"] is None else json.loads(row["handling"]),
        conditions=json.loads(row["conditions"] or "{}"),
    )
    return Entry(int(row["seq"]), finding)
