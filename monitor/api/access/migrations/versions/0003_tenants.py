"""Whose a session is; null in those of before, which are the default tenant's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("access_sessions", sa.Column("tenant", sa.String(32)))


def downgrade() -> None:
    op.drop_column("access_sessions", "tenant")
