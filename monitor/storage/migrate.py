"""Tables are brought up to date, or back, by a folder of migrations; each part of the product has one of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from monitor.storage.dialect import lock_for_migration

# What alembic calls its table where nothing else is said: that of the journal.
JOURNAL_VERSION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder of migrations, the table that says how far a database has come, and the number of PostgreSQL's lock.

    Any number will do that is the same in every process: of two that start at once the second waits, and then finds the
    tables.
    """

    folder: Path
    lock: int
    version_table: str = JOURNAL_VERSION_TABLE

    @property
    def newest(self) -> str:
        """The revision that this version of the product works with."""
        head = ScriptDirectory.from_config(self._config()).get_current_head()
        if head is None:
            raise LookupError(f"{self.folder} holds no migrations")
        return head

    def revision(self, connection: sa.Connection) -> str | None:
        """Return how far a database has come, None where nothing is there."""
        return MigrationContext.configure(connection, opts={"version_table": self.version_table}).get_current_revision()

    def upgrade(self, connection: sa.Connection, to: str = "head") -> None:
        """Create or migrate the tables within the transaction of `connection`."""
        lock_for_migration(connection, self.lock)
        command.upgrade(self._config(connection), to)

    def downgrade(self, connection: sa.Connection, to: str = "base") -> None:
        """Bring the tables back to an older revision, or take them away, within the transaction of `connection`."""
        lock_for_migration(connection, self.lock)
        command.downgrade(self._config(connection), to)

    def _config(self, connection: sa.Connection | None = None) -> Config:
        # Alembic reads its options through ConfigParser, where a percent sign is special.
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return config
