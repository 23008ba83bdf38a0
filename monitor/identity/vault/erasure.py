"""Destroying what is enrolled: data keys and templates of single enrolments, or all of an identity, with a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from monitor.identity.vault import ledger
from monitor.identity.vault.database import require_cleaning
from monitor.identity.vault.records import VersionState
from monitor.identity.vault.sealing import FieldCipher
from monitor.identity.vault.tables import identities, receipts, versions

# What a destroyed version no longer has.
DESTROYED = {"key_id": None, "wrapped": None, "sealed": None, "bytes": 0}


def update(row: Any) -> sa.Update:
    """Return a change of this row of a version."""
    return sa.update(versions).where(versions.c.identity == row.identity, versions.c.version == row.version)


def destroy(connection: sa.Connection, destroyed: Sequence[Any], state: VersionState) -> None:
    """Destroy the data keys and templates of these version rows, which go into `state`."""
    for row in destroyed:
        connection.execute(update(row).values(state=state, **DESTROYED))
        require_cleaning(connection)


def erase(connection: sa.Connection, cipher: FieldCipher, time: str, identity: str, actor: str, cause: str) -> str:
    """Destroy everything of an identity and write its receipt; returns the receipt's id. The caller holds the lock."""
    tag = connection.execute(sa.select(identities.c.tag).where(identities.c.id == identity)).scalar_one()
    counts = sa.select(sa.func.count(), sa.func.count(versions.c.wrapped)).where(versions.c.identity == identity)
    version_count, sealed_count = connection.execute(counts).one()
    connection.execute(sa.delete(versions).where(versions.c.identity == identity))
    connection.execute(sa.delete(identities).where(identities.c.id == identity))
    require_cleaning(connection)
    receipt = uuid4().hex
    detail = {"cause": cause, "destroyed": sealed_count, "receipt": receipt}
    entry = ledger.append(connection, cipher, time, "erased", actor, identity, detail)
    row = {
        "id": receipt,
        "identity": identity,
        "tag": tag,
        "erased": entry.time,
        "actor": cipher.seal(actor, "receipt", receipt),
        "cause": cause,
        "versions": version_count,
        "destroyed": sealed_count,
        "audit": entry.seq,
    }
    connection.execute(sa.insert(receipts).values(row))
    return receipt
