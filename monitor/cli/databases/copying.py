"""Everything that is kept at one place goes to another, which must be empty: all of it, or nothing.

The source is held meanwhile, so that nobody writes what would be left behind: findings wait in the memory of whoever
makes them. The audit log is written line by line, as its table in the new database wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from monitor.cli.databases.places import PARTS, DatabaseError, Opened, Part, Place, opened, revisions
from monitor.identity.vault.tables import audit, audit_heads
from monitor.storage import copying
from monitor.storage.database import Database
from monitor.storage.dialect import hold, take_time

# A table of one row, which a migration makes: it is changed, and no row is added.
ONE = "one"
# Told the name of a table and how many rows more of it are done.
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """How many rows of each table were copied, and which parts there were none of."""

    rows: dict[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def plan(source: Place) -> Copied:
    """Count what is to be copied; raises `DatabaseError` where there is nothing, or it has to be upgraded first."""
    with opened(source) as databases:
        found = revisions(databases)
        if found[PARTS[0].name] is None:
            raise DatabaseError("there is no journal to copy: see that --from names the place that is meant")
        counts: dict[str, int] = {}
        for part in _present(found):
            if found[part.name] != part.migrations.newest:
                raise DatabaseError("what is to be copied is of another version: run `sidewitness db upgrade` there")
            with databases.of(part).transaction() as connection:
                counts |= {table.name: copying.count(connection, table) for table in part.tables}
    return Copied(counts, tuple(part.name for part in PARTS if found[part.name] is None))


def copy(source: Place, target: Place, advance: Progress) -> Copied:
    """Copy everything; raises `DatabaseError` where the target holds something, or is not as the source afterwards."""
    with opened(source) as old, opened(target) as new:
        found = revisions(old)
        present = _present(found)
        for database in new.each:
            if database.file is not None:
                database.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in present:
            new.of(part).migrate(part.migrations)
        with ExitStack() as stack:
            reading = {database: stack.enter_context(database.transaction()) for database in _used(old, present)}
            writing = {database: stack.enter_context(database.transaction()) for database in _used(new, present)}
            for database, connection in reading.items():
                hold(connection, _heads(old, present, database))
            for connection in writing.values():
                take_time(connection)
            copied: dict[str, int] = {}
            for part in present:
                copied |= _copy_part(part, reading[old.of(part)], writing[new.of(part)], advance)
    return Copied(copied, tuple(part.name for part in PARTS if found[part.name] is None))


def _present(found: dict[str, str | None]) -> list[Part]:
    return [part for part in PARTS if found[part.name] is not None]


def _used(databases: Opened, parts: list[Part]) -> list[Database]:
    return list(dict.fromkeys(databases.of(part) for part in parts))


def _heads(databases: Opened, parts: list[Part], database: Database) -> list[str]:
    """Return the tables of a database that whoever writes into a chain writes first."""
    tables = [table for part in parts if databases.of(part) is database for table in part.tables]
    return [table.name for table in tables if ONE in table.c and "seq" in table.c]


def _copy_part(part: Part, old: sa.Connection, new: sa.Connection, advance: Progress) -> dict[str, int]:
    copied: dict[str, int] = {}
    sources, targets = copying.live_tables(old, part.tables), copying.live_tables(new, part.tables)
    for table in targets:
        _refuse_used(new, table)
    for table, into in zip(sources, targets, strict=True):
        if table.name == audit_heads.name:
            # Written with the lines.
            continue
        if table.name == audit.name:
            _copy_audit(old, new, table, into, advance)
        elif ONE in table.c and table.name != "vault_names_key":
            [row] = copying.rows(old, table)
            new.execute(sa.update(into).values(row))
            advance(table.name, 1)
        else:
            copying.insert(new, into, copying.rows(old, table), partial(advance, table.name))
    for table, into in zip(sources, targets, strict=True):
        copied[table.name] = copying.count(new, into)
        if copying.digest(old, table) != copying.digest(new, into):
            raise DatabaseError(
                f"the table {table.name} is not the same after the copy: nothing was copied, report this"
            )
    return copied


def _refuse_used(connection: sa.Connection, table: sa.Table) -> None:
    """Raise `DatabaseError` where a table is not as its migrations have made it."""
    is_head = ONE in table.c and table.name != "vault_names_key"
    if is_head and "seq" in table.c:
        used = connection.execute(sa.select(table.c.seq)).scalar_one() != 0
    else:
        used = not is_head and copying.count(connection, table) > 0
    if used:
        raise DatabaseError("the place to copy to holds something already: name an empty one, or move that away")


def _copy_audit(old: sa.Connection, new: sa.Connection, table: sa.Table, into: sa.Table, advance: Progress) -> None:
    """Append the lines one by one, each with the head that it had, and the last with its signature."""
    head = old.execute(sa.select(audit_heads)).one()
    for line in _lines(old, table):
        new.execute(sa.insert(into).values(line))
        signature = head.signature if line["seq"] == head.seq else b""
        new.execute(sa.update(audit_heads).values(seq=line["seq"], hash=line["hash"], signature=signature))
        advance(table.name, 1)
    advance(audit_heads.name, 1)


def _lines(old: sa.Connection, table: sa.Table) -> Iterator[dict[str, object]]:
    for number, line in enumerate(copying.rows(old, table), 1):
        if line["seq"] != number:
            raise DatabaseError("the audit log has a hole and cannot be copied: restore a backup of the vault first")
        yield line


def is_same(source: Place, target: Place) -> bool:
    """Whether two places are one."""
    with opened(source) as old, opened(target) as new:
        urls = [(first.engine.url, second.engine.url) for first, second in zip(old.each, new.each, strict=False)]
    return any(first == second for first, second in urls)
