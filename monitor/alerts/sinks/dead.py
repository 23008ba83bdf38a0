"""Dead letters: findings that a sink has refused for good, by number, in the journal's own database.

They hold no content: the finding is in the journal for as long as that keeps it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from monitor.alerts.journal import Journal, metadata
from monitor.types import rfc3339

MAX_WHY = 256
# Of each sink; the oldest go first.
MAX_LETTERS = 10_000

letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("sink", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.String(32)),
    sa.Column("why", sa.String(MAX_WHY)),
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A finding that was refused: its number, when (RFC 3339) and why, in one line."""

    seq: int
    time: str
    why: str


class DeadLetters:
    """Reads and writes dead letters by the name of the sink; synchronous, raises `JournalError`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def add(self, sink: str, seq: int, why: str) -> None:
        """Commit a letter, once however often it is refused; `MAX_LETTERS` are kept."""
        time = rfc3339(datetime.now(UTC))
        # It is there already, from before a crash.
        with contextlib.suppress(IntegrityError), self._journal.transaction() as connection:
            connection.execute(sa.insert(letters).values(sink=sink, seq=seq, time=time, why=why[:MAX_WHY]))
            of_sink = letters.c.sink == sink
            newest = sa.select(letters.c.seq).where(of_sink).order_by(letters.c.seq.desc())
            oldest = newest.offset(MAX_LETTERS).limit(1).scalar_subquery()
            connection.execute(sa.delete(letters).where(of_sink, letters.c.seq <= oldest))

    def list(self, sink: str, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Return letters of a sink with numbers above `after`, oldest first."""
        query = sa.select(letters).where(letters.c.sink == sink, letters.c.seq > after)
        with self._journal.transaction() as connection:
            rows = connection.execute(query.order_by(letters.c.seq).limit(limit)).all()
        return [DeadLetter(int(row.seq), row.time, row.why) for row in rows]

    def count(self, sink: str) -> int:
        """Return how many letters a sink has."""
        with self._journal.transaction() as connection:
            query = sa.select(sa.func.count()).select_from(letters).where(letters.c.sink == sink)
            return int(connection.execute(query).scalar_one())
