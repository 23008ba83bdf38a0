"""By what a participant was taken to claim the identity; null in findings of before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("findings", sa.Column("claim", sa.Text))


def downgrade() -> None:
    op.drop_column("findings", "claim")
