"""Sessions of people who have signed in, and actors as long as the audit log takes them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
ACTORS = ("subject", "issued_by", "revoked_by")


def upgrade() -> None:
    with op.batch_alter_table("access_tokens") as table:
        for name in ACTORS:
            table.alter_column(name, type_=sa.String(128), existing_type=sa.String(64))
    op.create_table(
        "access_sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("identity", sa.String(128)),
        sa.Column("rules", sa.String(32), nullable=False),
        sa.Column("hint", sa.LargeBinary()),
        sa.Column("begun", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("access_sessions")
    with op.batch_alter_table("access_tokens") as table:
        for name in ACTORS:
            table.alter_column(name, type_=sa.String(64), existing_type=sa.String(128))
