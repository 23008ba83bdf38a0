"""The audit log in the database. Appending takes the write lock of the whole vault, so lines are never out of order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import islice
from typing import Any

import sqlalchemy as sa

from monitor.identity.vault.audit import Action, AuditReport, Head, Line, Sign, verify, write
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.records import AuditEntry
from monitor.identity.vault.sealing import Names
from monitor.identity.vault.tables import audit, audit_heads

COLUMNS = tuple(field.name for field in fields(Line))
PAGE = 500


def lock(connection: sa.Connection) -> None:
    """Take the vault's write lock until the transaction ends: what is read after this stays so."""
    connection.execute(sa.update(audit_heads).values(seq=audit_heads.c.seq))


def append(
    connection: sa.Connection,
    names: Names,
    time: str,
    action: Action,
    actor: str,
    identity: str = "",
    detail: Mapping[str, Any] | None = None,
) -> Line:
    """Write a line, in the transaction of what it tells of; the lock is held already."""
    head = _head(connection)
    if head is None:
        raise VaultError("the head of the audit log is missing: restore a backup of the vault")
    sealed = names.seal(actor, "actor", head.seq + 1)
    told = json.dumps(detail or {}, sort_keys=True)
    line, after = write(head, names.sign, time=time, action=action, identity=identity, actor=sealed, detail=told)
    connection.execute(sa.insert(audit).values({name: getattr(line, name) for name in COLUMNS}))
    connection.execute(sa.update(audit_heads).values(seq=after.seq, hash=after.hash, signature=after.signature))
    return line


def check(connection: sa.Connection, sign: Sign | None) -> AuditReport:
    """Check the whole chain; without `sign` the hashes only."""
    return verify(read(connection), _head(connection), sign)


def read(connection: sa.Connection, after: int = 0) -> Iterator[Line]:
    """Give the lines with numbers above `after`, oldest first."""
    while True:
        query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(PAGE)
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        for row in rows:
            yield Line(**{name: row[name] for name in COLUMNS})
        after = rows[-1]["seq"]


def entries(connection: sa.Connection, names: Names, after: int, limit: int) -> list[AuditEntry]:
    """Return lines with their actors opened."""
    return [
        AuditEntry(
            line.seq,
            line.time,
            line.action,
            line.identity,
            names.unseal(line.actor, "actor", line.seq),
            json.loads(line.detail),
            line.hash.hex(),
        )
        for line in islice(read(connection, after), limit)
    ]


def _head(connection: sa.Connection) -> Head | None:
    row = connection.execute(sa.select(audit_heads.c.seq, audit_heads.c.hash, audit_heads.c.signature)).first()
    return None if row is None else Head(int(row.seq), bytes(row.hash), bytes(row.signature))
