"""A hash chain over the findings; rows of before are chained by `monitor.alerts.journal`, which holds the key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

LINKS = ("previous", "hash", "signature")
OF_HEAD = ("hash", "pruned_hash", "signature")


def upgrade() -> None:
    for name in LINKS:
        op.add_column("findings", sa.Column(name, sa.LargeBinary()))
    for name in OF_HEAD:
        op.add_column("journal_head", sa.Column(name, sa.LargeBinary()))


def downgrade() -> None:
    for name in OF_HEAD:
        op.drop_column("journal_head", name)
    for name in LINKS:
        op.drop_column("findings", name)
