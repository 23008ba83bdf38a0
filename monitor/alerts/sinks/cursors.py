"""The durable cursors of the sinks, in the journal's own database: the newest finding that each sink has accepted."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from monitor.alerts.journal import Journal, metadata

cursors = sa.Table(
    "sink_cursors",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger),
)


class Cursors:
    """Reads and moves cursors by the name of the sink; synchronous, raises `JournalError`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def begin(self, name: str, seq: int) -> int:
        """Return the cursor of a sink; one that is new is put at `seq`."""
        # It is there already, or another process has just put it there.
        with contextlib.suppress(IntegrityError), self._journal.transaction() as connection:
            connection.execute(sa.insert(cursors).values(name=name, seq=seq))
        with self._journal.transaction() as connection:
            return int(connection.execute(sa.select(cursors.c.seq).where(cursors.c.name == name)).scalar_one())

    def advance(self, name: str, seq: int) -> None:
        """Commit that the sink has accepted everything up to `seq`."""
        with self._journal.transaction() as connection:
            connection.execute(sa.update(cursors).where(cursors.c.name == name).values(seq=seq))
