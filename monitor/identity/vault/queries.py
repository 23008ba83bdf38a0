"""What the vault reads from its tables, by the tag (the keyed hash of a name) or the row of an identity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from monitor.identity.vault.tables import audit, identities, names_keys, receipts, versions

# Without the template, which may be megabytes.
SUMMARY_COLUMNS = tuple(column for column in versions.c if column.name not in ("wrapped", "sealed"))


def is_made(connection: sa.Connection) -> bool:
    """Whether a vault was ever made here: tables alone are none, and one whose key is gone is one."""
    if not sa.inspect(connection).has_table(names_keys.name):
        return False
    held = connection.execute(sa.select(names_keys.c.one)).first(), connection.execute(sa.select(audit.c.seq)).first()
    return any(row is not None for row in held)


def next_version(connection: sa.Connection, tag: bytes) -> tuple[str | None, int, str]:
    """Return the identity of this name, the number its next version gets, and the id of the master key in use."""
    master = connection.execute(sa.select(names_keys.c.key_id)).scalar_one()
    query = sa.select(identities.c.id, sa.func.max(versions.c.version)).select_from(identities).outerjoin(versions)
    row = connection.execute(query.where(identities.c.tag == tag).group_by(identities.c.id)).first()
    return (row[0], (row[1] or 0) + 1, master) if row else (None, 1, master)


def active_row(connection: sa.Connection, tag: bytes, columns: Sequence[sa.Column[Any]]) -> Sequence[Any]:
    """Return these columns of the newest active version, nothing where there is none."""
    return connection.execute(_active_query(tuple(columns)), {"tag": tag}).all()


@cache
def _active_query(columns: tuple[sa.Column[Any], ...]) -> sa.Select[Any]:
    # Made once: every session asks at every hop.
    query = sa.select(*columns).join(identities).order_by(versions.c.version.desc()).limit(1)
    return query.where(identities.c.tag == sa.bindparam("tag"), versions.c.state == "active")


def version_rows(connection: sa.Connection, tag: bytes) -> Sequence[Any]:
    """Return the summaries of every version of an identity, newest first."""
    query = sa.select(*SUMMARY_COLUMNS).join(identities).where(identities.c.tag == tag)
    return connection.execute(query.order_by(versions.c.version.desc())).all()


def identity_rows(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Sequence[Any]:
    """Return the summaries of every version by identity, newest first; its sealed name is in all."""
    query = sa.select(*SUMMARY_COLUMNS, identities.c.name).join(identities).where(where)
    return connection.execute(query.order_by(identities.c.id, versions.c.version.desc())).all()


def receipt_rows(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Sequence[Any]:
    """Return receipts, newest first, each with the hash of its line in the audit log."""
    query = sa.select(receipts, audit.c.hash).outerjoin(audit, audit.c.seq == receipts.c.audit).where(where)
    return connection.execute(query.order_by(receipts.c.audit.desc())).all()
