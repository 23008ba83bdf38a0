"""What erased findings and case events leave: the links of their chains, and receipts without names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "erased_links",
        sa.Column("log", sa.String(16), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("previous", "hash", "signature")),
        sa.Column("erased", sa.String(32), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("erased", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("findings", "changes", "events", "labels", "letters")
        ),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("cleaned", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("erasures")
    op.drop_table("erased_links")
