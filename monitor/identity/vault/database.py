"""The vault's database: transactions, migrations, and removal of destroyed bytes from its files.

SQLite keeps what was deleted in free pages and in the write-ahead log. `secure_delete` overwrites the former at once;
`clean` rewrites the file and empties the log, so that the files hold nothing of what was destroyed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.files import make_private
from monitor.identity.vault.tables import MIGRATIONS, cleanings

# Rewriting the file, of which others wait for the end, may take a while on a busy disk.
BUSY_SECONDS = 20.0
# Any number will do that is the same in every process.
ADVISORY_LOCK = 8480_2026
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


class Database:
    """Short transactions on one database; raises `VaultError` only."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
            self.sqlite = parsed.get_backend_name() == "sqlite"
            arguments = {"timeout": BUSY_SECONDS} if self.sqlite else {}
            self.engine = sa.create_engine(parsed, connect_args=arguments, pool_pre_ping=not self.sqlite)
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise VaultError(
                f"database_url cannot be used ({type(error).__name__}): check its form and that its driver is installed"
            ) from None
        if self.sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)

    @property
    def file(self) -> Path | None:
        """The file that it is in, None where it is no file."""
        name = self.engine.url.database
        return Path(name) if self.sqlite and name else None

    def migrate(self) -> None:
        """Create or migrate the tables."""
        if self.file is not None:
            make_private(self.file)
        with self.transaction() as connection:
            # Of two processes that start at once, the second waits here and then finds the tables.
            wait = "BEGIN IMMEDIATE" if self.sqlite else f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"
            connection.exec_driver_sql(wait)
            # Alembic reads its options through ConfigParser, where a percent sign is special.
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            command.upgrade(config, "head")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Commit at the end, or nothing."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except CommandError:
            raise VaultError("the vault was written by a newer version: update sidewitness") from None
        except (SQLAlchemyError, OSError) as error:
            # A connection that met a full or failing disk is not trusted again.
            self.engine.dispose()
            raise VaultError(_one_line(error, self.sqlite)) from None

    def clean(self) -> bool:
        """Remove destroyed bytes from the files if there are any; False where another process prevents it."""
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                due = connection.execute(sa.select(cleanings.c.due)).scalar_one()
                if due == 0:
                    return True
                if not self._rewrite(connection):
                    return False
                done = sa.update(cleanings).where(cleanings.c.due == due).values(due=0)
                return connection.execute(done).rowcount == 1
        except SQLAlchemyError:
            self.engine.dispose()
            return False

    def is_clean(self) -> bool:
        """Whether the files hold no destroyed bytes."""
        with self.transaction() as connection:
            return bool(connection.execute(sa.select(cleanings.c.due)).scalar_one() == 0)

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()

    def _rewrite(self, connection: sa.Connection) -> bool:
        if not self.sqlite:
            for table in ("vault_identities", "vault_versions", "vault_names_key"):
                connection.exec_driver_sql(f"VACUUM FULL {table}")
            return True
        connection.exec_driver_sql("VACUUM")
        busy, _log, _moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return not busy


def require_cleaning(connection: sa.Connection) -> None:
    """Note, in the transaction that destroys something, that the files must be cleaned."""
    connection.execute(sa.update(cleanings).values(due=cleanings.c.due + 1))


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL: in WAL mode anything less may lose the last commits, an erasure for one, at a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _one_line(error: Exception, sqlite: bool) -> str:
    # Other drivers quote host names and users in their messages; SQLite's are short and harmless.
    cause = str(getattr(error, "orig", None) or "").splitlines()[0:1] if sqlite else []
    text = cause[0] if cause else type(error).__name__
    advice = next((advice for sign, advice in ADVICE.items() if sign in text), "check the disk and database_url")
    return f"vault: {text}: {advice}"
