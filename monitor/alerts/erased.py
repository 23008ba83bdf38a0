"""What erased rows of the journal and of casework leave: their links, by which the chains still hold, and receipts.

No name and no id is in it: of a short row whose id is known somebody could try names until the hash is right, and
without the id, which is random, nobody can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

# What the logs are called here.
FINDINGS, CASEWORK = "findings", "casework"

metadata = sa.MetaData()
links = sa.Table(
    "erased_links",
    metadata,
    sa.Column("log", sa.String(16), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.LargeBinary) for name in ("previous", "hash", "signature")),
    sa.Column("erased", sa.String(32)),
    sa.Column("mark", sa.LargeBinary),
)
receipts = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("erased", "actor", "cause")),
    *(sa.Column(name, sa.Integer) for name in ("findings", "changes", "events", "labels", "letters")),
    *(sa.Column(name, sa.Text) for name in ("sent", "sha256")),
    sa.Column("cleaned", sa.Integer),
)


def rows_with_links(connection: sa.Connection, table: sa.Table, log: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a log by number, in order, and in the places of those that were erased their links."""
    left = connection.execute(sa.select(links).where(links.c.log == log).order_by(links.c.seq)).mappings().all()
    waiting = iter([(int(row["seq"]), dict(row)) for row in left])
    next_left = next(waiting, None)
    for row in connection.execute(sa.select(table).order_by(table.c.seq)).mappings():
        seq = int(row["seq"])
        while next_left is not None and next_left[0] < seq:
            yield next_left
            next_left = next(waiting, None)
        yield seq, dict(row)
    while next_left is not None:
        yield next_left
        next_left = next(waiting, None)


def last_hash(connection: sa.Connection, table: sa.Table, log: str, limit: int) -> bytes | None:
    """Return the hash of the newest row up to a number, erased or not; None where there is none."""
    kept = sa.select(table.c.seq, table.c.hash).where(table.c.seq <= limit)
    left = sa.select(links.c.seq, links.c.hash).where(links.c.log == log, links.c.seq <= limit)
    found = [connection.execute(query.order_by(sa.desc("seq")).limit(1)).one_or_none() for query in (kept, left)]
    newest = max((row for row in found if row is not None), key=lambda row: int(row.seq), default=None)
    return None if newest is None else bytes(newest.hash)


def forget(connection: sa.Connection, table: sa.Table, log: str, limit: int) -> int:
    """Delete the rows of a log up to a number, and what erased ones have left; returns how many rows those were."""
    connection.execute(sa.delete(links).where(links.c.log == log, links.c.seq <= limit))
    return connection.execute(sa.delete(table).where(table.c.seq <= limit)).rowcount
