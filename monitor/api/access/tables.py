"""The tables of signed tokens and of sessions.

They are made by the migrations beside this file, under a version table of their own.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from monitor.storage.migrate import Migrations

VERSION_TABLE = "access_alembic_version"
MIGRATIONS = Migrations(Path(__file__).parent / "migrations", 8480_2027, VERSION_TABLE)

metadata = sa.MetaData()
tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("subject", "role", "call", "participant", "identity")),
    sa.Column("issued", sa.BigInteger),
    sa.Column("issued_by", sa.Text),
    sa.Column("expires", sa.BigInteger),
    sa.Column("revoked", sa.BigInteger),
    sa.Column("revoked_by", sa.Text),
)
# The text of a session's cookie is not here: `id` is a digest of it, and `hint` is sealed with it.
sessions = sa.Table(
    "access_sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("subject", "role", "identity", "rules", "tenant")),
    sa.Column("hint", sa.LargeBinary),
    *(sa.Column(name, sa.BigInteger) for name in ("begun", "seen", "expires")),
)
