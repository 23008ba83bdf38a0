"""What sinks have refused for good: the number of the finding and why, none of its content."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("sink", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("why", sa.String(256), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("dead_letters")
