"""Findings, and the head that numbers them without holes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("call", sa.String(128), nullable=False),
        sa.Column("participant", sa.String(128), nullable=False),
        sa.Column("identity", sa.String(128)),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("scores", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", "step", name="findings_id_step"),
    )
    head = op.create_table(
        "journal_head",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("pruned", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(head, [{"one": 1, "seq": 0, "pruned": 0}])


def downgrade() -> None:
    op.drop_table("journal_head")
    op.drop_table("findings")
