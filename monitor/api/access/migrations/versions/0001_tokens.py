"""Signed tokens: who has one, for what, until when, and which were revoked. Never the token itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "access_tokens",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("call", sa.String(128)),
        sa.Column("participant", sa.String(128)),
        sa.Column("identity", sa.String(128)),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("issued_by", sa.String(64), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger()),
        sa.Column("revoked_by", sa.String(64)),
    )


def downgrade() -> None:
    op.drop_table("access_tokens")
