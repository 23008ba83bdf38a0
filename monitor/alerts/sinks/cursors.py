"""The durable cursors of the sinks, in the journal's own database: the newest finding that each sink has accepted."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from monitor.alerts.journal import Journal, metadata
from monitor.alerts.sinks.dead import letters

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

    def read(self, name: str) -> int | None:
        """Return the cursor of a sink, None where there is none."""
        with self._journal.transaction() as connection:
            seq = connection.execute(sa.select(cursors.c.seq).where(cursors.c.name == name)).scalar_one_or_none()
        return None if seq is None else int(seq)

    def all(self) -> dict[str, int]:
        """Return the cursor of every sink that ever was, by its name."""
        with self._journal.transaction() as connection:
            rows = connection.execute(sa.select(cursors).order_by(cursors.c.name)).all()
        return {row.name: int(row.seq) for row in rows}

    def advance(self, name: str, seq: int, from_seq: int) -> bool:
        """Commit that the sink has accepted everything up to `seq`; False where the cursor is not at `from_seq`.

        Then somebody has put it elsewhere, and there it stays.
        """
        at = (cursors.c.name == name) & (cursors.c.seq == from_seq)
        with self._journal.transaction() as connection:
            return connection.execute(sa.update(cursors).where(at).values(seq=seq)).rowcount == 1

    def replay(self, name: str, after: int) -> bool:
        """Put the cursor to `after`: the findings behind it are sent again, and are dead letters no more.

        False where there is no such cursor. A running server finds it there within seconds.
        """
        with self._journal.transaction() as connection:
            moved = connection.execute(sa.update(cursors).where(cursors.c.name == name).values(seq=after)).rowcount == 1
            connection.execute(sa.delete(letters).where(letters.c.sink == name, letters.c.seq > after))
        return moved
