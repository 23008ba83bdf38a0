"""The audit log in the database. Appending takes the write lock of the whole vault, so lines are never out of order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import sqlalchemy as sa

from monitor.identity.vault.audit import Action, AuditEntry, AuditReport, Head, Sign, chain_entry, verify
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.sealing import FieldCipher
from monitor.identity.vault.tables import audit, audit_heads

# Fields of an entry by the column that holds them.
FIELDS = {column.name: "sealed_actor" if column.name == "actor" else column.name for column in audit.c}
PAGE_LINES = 500


def lock(connection: sa.Connection) -> None:
    """Take the vault's write lock until the transaction ends: what is read after this stays so."""
    connection.execute(sa.update(audit_heads).values(seq=audit_heads.c.seq))


def append(
    connection: sa.Connection,
    cipher: FieldCipher,
    time: str,
    action: Action,
    actor: str,
    identity: str = "",
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write a line in the transaction of the change that it records; the caller holds the lock."""
    newest = head(connection)
    if newest is None:
        raise VaultError("the head of the audit log is missing: restore a backup of the vault")
    sealed_actor = cipher.seal(actor, "actor", newest.seq + 1)
    detail_json = json.dumps(detail or {}, sort_keys=True)
    entry, after = chain_entry(
        newest, cipher.sign, time=time, action=action, identity=identity, sealed_actor=sealed_actor, detail=detail_json
    )
    connection.execute(sa.insert(audit).values({column: getattr(entry, field) for column, field in FIELDS.items()}))
    connection.execute(sa.update(audit_heads).values(seq=after.seq, hash=after.hash, signature=after.signature))
    return entry


def check(connection: sa.Connection, sign: Sign | None) -> AuditReport:
    """Check the whole chain; without `sign` the hashes only."""
    return verify(read(connection), head(connection), sign)


def read(connection: sa.Connection, after: int = 0) -> Iterator[AuditEntry]:
    """Yield the lines with numbers above `after`, oldest first."""
    while True:
        query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(PAGE_LINES)
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        for row in rows:
            yield AuditEntry(**{field: row[column] for column, field in FIELDS.items()})
        after = rows[-1]["seq"]


def entries(connection: sa.Connection, cipher: FieldCipher, after: int, limit: int) -> list[AuditEntry]:
    """Return up to `limit` lines with numbers above `after`, their actors opened."""
    return [
        replace(entry, actor=cipher.unseal(entry.sealed_actor, "actor", entry.seq))
        for entry in islice(read(connection, after), limit)
    ]


_HEAD = sa.select(audit_heads.c.seq, audit_heads.c.hash, audit_heads.c.signature)


def head(connection: sa.Connection) -> Head | None:
    """Return the head as the database has it, None where it is gone."""
    row = connection.execute(_HEAD).first()
    return None if row is None else Head(int(row.seq), bytes(row.hash), bytes(row.signature))
