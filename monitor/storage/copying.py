"""Rows of one database go into another, whichever two they are, and are read again there and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

# Written together: enrolments may be megabytes each.
BATCH_ROWS, BATCH_BYTES = 500, 8 << 20

Advance = Callable[[int], None]


def live_tables(connection: sa.Connection, tables: Sequence[sa.Table]) -> list[sa.Table]:
    """Return tables as the database has them, with every column, in the order in which rows can be written."""
    metadata = sa.MetaData()
    metadata.reflect(connection, only=[table.name for table in tables])
    # Of ours, which know what refers to what.
    return [metadata.tables[table.name] for table in tables]


def count(connection: sa.Connection, table: sa.Table) -> int:
    """Return how many rows a table has."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def rows(connection: sa.Connection, table: sa.Table) -> Iterator[dict[str, Any]]:
    """Yield every row in the order of its key, without holding them all."""
    query = sa.select(table).order_by(*table.primary_key)
    streamed = connection.execute(query, execution_options={"stream_results": True, "yield_per": 100})
    for row in streamed.mappings():
        yield dict(row)


def insert(connection: sa.Connection, table: sa.Table, given: Iterator[dict[str, Any]], advance: Advance) -> None:
    """Write rows; `advance` is told how many were, again and again."""
    batch: list[dict[str, Any]] = []
    size = 0
    for row in given:
        batch.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, bytes | str))
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            connection.execute(sa.insert(table), batch)
            advance(len(batch))
            batch, size = [], 0
    if batch:
        connection.execute(sa.insert(table), batch)
        advance(len(batch))


def digest(connection: sa.Connection, table: sa.Table) -> str:
    """Return a hash of every value of a table: the same for the same rows, in whichever order a database gives them."""
    total = 0
    for row in rows(connection, table):
        found = hashlib.sha256()
        for name in sorted(row):
            value = row[name]
            is_bytes = isinstance(value, bytes | memoryview)
            content = bytes(value) if is_bytes else str(value).encode("utf-8", "surrogatepass")
            kind = "bytes" if is_bytes else type(value).__name__
            found.update(f"{name} {kind} {len(content)} ".encode() + content)
        total += int.from_bytes(found.digest(), "big")
    return f"{total % (1 << 256):064x}"
