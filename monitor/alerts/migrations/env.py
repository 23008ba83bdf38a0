"""Run by alembic with the connection that `monitor.alerts.journal` has opened; never from a command line."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
