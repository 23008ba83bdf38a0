"""In what conditions a participant was judged; null in findings of before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("findings", sa.Column("conditions", sa.Text))


def downgrade() -> None:
    op.drop_column("findings", "conditions")
