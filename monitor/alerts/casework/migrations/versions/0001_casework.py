"""What people and the policy did about findings, the head of its chain, and what the search needs of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "case_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("finding", sa.String(128), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("previous", "hash", "signature")),
    )
    op.create_index("case_events_finding", "case_events", ["finding", "seq"])
    head = op.create_table(
        "case_head",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("pruned", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("hash", "pruned_hash", "signature")),
    )
    none = bytes(32)
    op.bulk_insert(head, [{"one": 1, "seq": 0, "pruned": 0, "hash": none, "pruned_hash": none, "signature": b""}])
    op.create_table(
        "case_states",
        sa.Column("finding", sa.String(128), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("label", sa.String(8)),
        sa.Column("assignee", sa.String(128)),
    )


def downgrade() -> None:
    op.drop_table("case_states")
    op.drop_table("case_head")
    op.drop_index("case_events_finding", "case_events")
    op.drop_table("case_events")
