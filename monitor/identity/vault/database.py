"""The vault's database: transactions, migrations, and removal of destroyed bytes from its files.

SQLite keeps what was deleted in free pages and in the write-ahead log. `secure_delete` overwrites the former at once;
`clean` rewrites the file and empties the log, so that the files hold nothing of what was destroyed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.tables import cleanings
from monitor.storage import database
from monitor.storage.database import Wording
from monitor.storage.dialect import rewrite

# Rewriting the file, of which others wait for the end, may take a while on a busy disk.
BUSY_SECONDS = 20.0
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
# What destroyed bytes were in.
REWRITTEN = ("vault_identities", "vault_versions", "vault_names_key")
ADVICE = {
    "disk is full": "free space on the disk of the vault",
    "readonly": "make the vault's folder writable",
    "locked": "another process holds the vault: try again when it has let go",
    "unable to open": "make the vault's folder exist and be writable, or set SIDEWITNESS_STATE_DIR",
    "malformed": "the file is damaged: restore a backup",
    "not a database": "the file is no vault: move it away, or restore a backup",
    "no such table": "nobody was enrolled here yet",
    "append-only": "the audit log is not to be changed",
}


WORDING = Wording(VaultError, "vault", "nobody is compared until then", ADVICE)


class Database(database.Database):
    """Short transactions on one database; raises `VaultError` only."""

    def __init__(self, url: str) -> None:
        super().__init__(url, WORDING, BUSY_SECONDS, PRAGMAS)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit at the end, or nothing."""
        try:
            with super().transaction() as connection:
                yield connection
        except IntegrityError as error:
            raise self.described(error) from None
        except database.UnstorableError as error:
            raise VaultError(str(error)) from None

    def clean(self) -> bool:
        """Remove destroyed bytes from the files if there are any; False where another process prevents it."""
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                due = connection.execute(sa.select(cleanings.c.due)).scalar_one()
                if due == 0:
                    return True
                if not rewrite(connection, REWRITTEN):
                    return False
                done = sa.update(cleanings).where(cleanings.c.due == due).values(due=0)
                return connection.execute(done).rowcount == 1
        except SQLAlchemyError:
            if self.sqlite:
                self.engine.dispose()
            return False

    def is_clean(self) -> bool:
        """Whether the files hold no destroyed bytes."""
        with self.transaction() as connection:
            return bool(connection.execute(sa.select(cleanings.c.due)).scalar_one() == 0)


def require_cleaning(connection: sa.Connection) -> None:
    """Note, in the transaction that destroys something, that the files must be cleaned."""
    connection.execute(sa.update(cleanings).values(due=cleanings.c.due + 1))
