"""The vault's tables; they are made by the migrations beside this file, under a version table of their own."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from monitor.storage.migrate import Migrations

VERSION_TABLE = "vault_alembic_version"
MIGRATIONS = Migrations(Path(__file__).parent / "migrations", 8480_2026, VERSION_TABLE)

metadata = sa.MetaData()
names_keys = sa.Table(
    "vault_names_key",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("key_id", sa.Text),
    sa.Column("wrapped", sa.LargeBinary),
)
identities = sa.Table(
    "vault_identities",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tag", sa.LargeBinary),
    sa.Column("name", sa.LargeBinary),
)
versions = sa.Table(
    "vault_versions",
    metadata,
    sa.Column("identity", sa.Text, sa.ForeignKey("vault_identities.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("state", sa.Text),
    sa.Column("schema", sa.Integer),
    sa.Column("record", sa.LargeBinary),
    sa.Column("approval", sa.LargeBinary),
    sa.Column("bytes", sa.Integer),
    sa.Column("key_id", sa.Text),
    sa.Column("wrapped", sa.LargeBinary),
    sa.Column("sealed", sa.LargeBinary),
)
receipts = sa.Table(
    "vault_receipts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text),
    sa.Column("tag", sa.LargeBinary),
    sa.Column("erased", sa.Text),
    sa.Column("actor", sa.LargeBinary),
    sa.Column("cause", sa.Text),
    sa.Column("versions", sa.Integer),
    sa.Column("destroyed", sa.Integer),
    sa.Column("audit", sa.BigInteger),
)
audit = sa.Table(
    "vault_audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.Text) for name in ("time", "action", "identity")),
    sa.Column("actor", sa.LargeBinary),
    sa.Column("detail", sa.Text),
    *(sa.Column(name, sa.LargeBinary) for name in ("previous", "hash", "signature")),
)
audit_heads = sa.Table(
    "vault_audit_head",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger),
    sa.Column("hash", sa.LargeBinary),
    sa.Column("signature", sa.LargeBinary),
)
# How often something was destroyed since the file was last rewritten without the freed bytes.
cleanings = sa.Table(
    "vault_cleaning",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("due", sa.BigInteger),
)
