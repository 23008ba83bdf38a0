"""Run by alembic with the connection that `monitor.alerts.casework.store` has opened; never from a command line."""

from __future__ import annotations

from alembic import context

from monitor.alerts.casework.tables import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
