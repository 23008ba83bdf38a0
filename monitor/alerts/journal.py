"""The journal: findings in the order in which they were committed, numbered 1, 2, 3, ... without holes.

`append` returns a sequence number only after the commit is on disk, so a finding that was sent can be sent again
after any crash. One row, the head, hands out the numbers inside the same transaction: it serialises
writers (several processes, or several machines on PostgreSQL), so commit order is number order and a reader
that has seen N never misses something below N.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from engines.errors import SidewitnessError
from monitor.alerts.finding import Finding
from monitor.alerts.plain import encode
from monitor.types import ParticipantKey, parse_rfc3339, rfc3339

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 2.0
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
    *(sa.Column(name, sa.Text) for name in ("verdict", "reason", "scores", "evidence")),
    sa.Column("step", sa.Integer),
)
heads = sa.Table(
    "journal_head",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger),
    sa.Column("pruned", sa.BigInteger),
)


class JournalError(SidewitnessError):
    """The journal cannot be read or written now; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed finding and its number."""

    seq: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class Head:
    """`seq` is the newest committed number (0 when none), `pruned` the newest that was pruned."""

    seq: int
    pruned: int


class Journal:
    """A synchronous journal on one database, safe to use from several threads; raises `JournalError` only."""

    def __init__(self, url: str, max_findings: int = 100_000) -> None:
        try:
            parsed = sa.make_url(url)
            self._sqlite = parsed.get_backend_name() == "sqlite"
            arguments = {"timeout": BUSY_SECONDS} if self._sqlite else {}
            self.engine = sa.create_engine(parsed, connect_args=arguments, pool_pre_ping=not self._sqlite)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise JournalError(
                f"database_url cannot be used ({type(error).__name__}): check its form and that its driver is installed"
            ) from None
        self._max_findings = max_findings
        if self._sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)

    def open(self) -> None:
        """Create or migrate the tables."""
        with self.transaction() as connection:
            # Alembic reads its options through ConfigParser, where a percent sign is special.
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            command.upgrade(config, "head")
        if self._sqlite and (name := self.engine.url.database):
            with contextlib.suppress(OSError):
                Path(name).chmod(0o600)

    def append(self, finding: Finding) -> int:
        """Commit a finding and return its number; a change that is already there, by (id, step), keeps its number."""
        row = _row(finding)
        try:
            with self.transaction() as connection:
                # The update comes first: it takes the write lock, so that the number is ours until the commit.
                connection.execute(sa.update(heads).values(seq=heads.c.seq + 1))
                head = _head(connection)
                connection.execute(sa.insert(findings).values(seq=head.seq, **row))
                self._prune(connection, head)
                return head.seq
        except IntegrityError:
            return self._number_of(finding)

    def read(self, after: int, limit: int = 100) -> list[Entry]:
        """Return up to `limit` findings with numbers above `after`, oldest first."""
        query = sa.select(findings).where(findings.c.seq > min(after, MAX_SEQ)).order_by(findings.c.seq).limit(limit)
        with self.transaction() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def head(self) -> Head:
        """Return the newest number and the newest pruned one."""
        with self.transaction() as connection:
            return _head(connection)

    def check(self) -> None:
        """Write and commit without changing anything; raises `JournalError` where a finding could not be written."""
        with self.transaction() as connection:
            connection.execute(sa.update(heads).values(seq=heads.c.seq))

    def close(self) -> None:
        """Release the connections; the journal can be used again afterwards."""
        self.engine.dispose()

    def _prune(self, connection: sa.Connection, head: Head) -> None:
        # In strides of a tenth, so that most appends delete nothing.
        if head.seq - head.pruned <= self._max_findings + self._max_findings // 10:
            return
        limit = head.seq - self._max_findings
        connection.execute(sa.delete(findings).where(findings.c.seq <= limit))
        connection.execute(sa.update(heads).values(pruned=limit))

    def _number_of(self, finding: Finding) -> int:
        query = sa.select(findings.c.seq).where(findings.c.id == finding.id, findings.c.step == finding.step)
        with self.transaction() as connection:
            return int(connection.execute(query).scalar_one())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit what is done with the connection, or nothing of it; raises `JournalError`, or `IntegrityError`."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except CommandError:
            raise JournalError("the journal was written by a newer version: update sidewitness") from None
        except (SQLAlchemyError, OSError) as error:
            # A connection that met a full or failing disk is not trusted again.
            self.engine.dispose()
            raise JournalError(_one_line(error, self._sqlite)) from None


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL: in WAL mode anything less may lose the last commits at a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _head(connection: sa.Connection) -> Head:
    row = connection.execute(sa.select(heads.c.seq, heads.c.pruned)).one()
    return Head(int(row.seq), int(row.pruned))


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "step": finding.step,
        "action": finding.action,
        "call": finding.key.call,
        "participant": finding.key.participant,
        "identity": finding.key.identity,
        "time": rfc3339(finding.time),
        "verdict": finding.verdict,
        "reason": finding.reason,
        "scores": encode(finding.scores),
        "evidence": encode(finding.evidence),
    }


def _entry(row: Any) -> Entry:
    try:
        finding = Finding(
            id=row["id"],
            step=row["step"],
            action=row["action"],
            key=ParticipantKey(row["call"], row["participant"], row["identity"]),
            time=parse_rfc3339(row["time"]),
            verdict=row["verdict"],
            reason=row["reason"],
            scores=json.loads(row["scores"]),
            evidence=json.loads(row["evidence"]),
        )
    except (TypeError, ValueError):
        raise JournalError(f"finding {row['seq']} is damaged: move the journal away and restart") from None
    return Entry(int(row["seq"]), finding)


def _one_line(error: Exception, sqlite: bool) -> str:
    # Other drivers quote host names and users in their messages; SQLite's are short and harmless.
    cause = str(getattr(error, "orig", None) or "").splitlines()[0:1] if sqlite else []
    text = cause[0] if cause else type(error).__name__
    advice = next((advice for sign, advice in ADVICE.items() if sign in text), "check the disk and database_url")
    return f"journal: {text}: {advice}"
