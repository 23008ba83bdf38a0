"""What a policy made of a finding: what it is about, who was told, what was done; null where there was none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("findings", sa.Column("handling", sa.Text))


def downgrade() -> None:
    op.drop_column("findings", "handling")
