"""Rotation of the master key: every key is wrapped anew, in batches; one that is killed goes on when run again.

The names key goes first. Its row says which master key is in use, so new enrolments are wrapped with the new one from
then on, and the batches find the rest. Templates are not touched.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from monitor.identity.vault import ledger
from monitor.identity.vault.database import Database, require_cleaning
from monitor.identity.vault.keys import MasterKeys, WrappedKey
from monitor.identity.vault.sealing import NAMES_KEY_CONTEXT, FieldCipher, data_key_context
from monitor.identity.vault.tables import names_keys, versions

BATCH_KEYS = 32


def rotate(database: Database, keys: MasterKeys, cipher: FieldCipher, time: str, actor: str) -> int:
    """Wrap every key with the current master key and clean the files; return how many that were."""
    target = keys.current
    count = _rotate_names(database, keys, target)
    while batch := _batch(database, target):
        # Outside the transaction, because a key service may take its time.
        wrapped = [
            (row, _rewrap(keys, row, data_key_context(row.identity, row.version, row.schema), target)) for row in batch
        ]
        with database.transaction() as connection:
            ledger.lock(connection)
            for row, new in wrapped:
                context = versions.c.identity == row.identity, versions.c.version == row.version
                # Nothing is brought back that was destroyed meanwhile.
                change = sa.update(versions).where(*context, versions.c.key_id == row.key_id)
                count += connection.execute(change.values(key_id=new.key_id, wrapped=new.blob)).rowcount
            require_cleaning(connection)
    if count:
        with database.transaction() as connection:
            ledger.lock(connection)
            ledger.append(connection, cipher, time, "key_rotated", actor, "", {"key": target, "wrapped": count})
    database.clean()
    return count


def master_key_ids(connection: sa.Connection) -> set[str]:
    """Return the ids of the master keys that something is wrapped with."""
    result = connection.execute(sa.select(versions.c.key_id).where(versions.c.key_id.is_not(None)).distinct()).scalars()
    return {*result, *connection.execute(sa.select(names_keys.c.key_id)).scalars()}


def _rotate_names(database: Database, keys: MasterKeys, target: str) -> int:
    with database.transaction() as connection:
        row = connection.execute(sa.select(names_keys)).one()
    if row.key_id == target:
        return 0
    new = _rewrap(keys, row, NAMES_KEY_CONTEXT, target)
    with database.transaction() as connection:
        ledger.lock(connection)
        change = sa.update(names_keys).where(names_keys.c.key_id == row.key_id)
        require_cleaning(connection)
        return connection.execute(change.values(key_id=new.key_id, wrapped=new.blob)).rowcount


def _batch(database: Database, target: str) -> list[Any]:
    columns = (versions.c.identity, versions.c.version, versions.c.schema, versions.c.key_id, versions.c.wrapped)
    query = sa.select(*columns).where(versions.c.key_id.is_not(None), versions.c.key_id != target).limit(BATCH_KEYS)
    with database.transaction() as connection:
        return list(connection.execute(query).all())


def _rewrap(keys: MasterKeys, row: Any, context: bytes, target: str) -> WrappedKey:
    return keys.wrap(keys.unwrap(WrappedKey(row.key_id, row.wrapped), context), context, target)
