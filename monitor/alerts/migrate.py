"""Tables of a part of the findings' database are brought up to date when they are first used."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def upgrade(connection: sa.Connection, migrations: Path, lock: int) -> None:
    """Create or migrate the tables of a folder of migrations, within the transaction of `connection`.

    `lock` is the number of PostgreSQL's advisory lock; of two processes that start at once the second waits here and
    then finds the tables.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else f"SELECT pg_advisory_xact_lock({lock})")
    # Alembic reads its options through ConfigParser, where a percent sign is special.
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
