"""The tables of the log; they are made by the migrations beside this file, under a version table of their own.

`case_states` is what the cases of findings fold to, kept for the search; the log is what counts.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from monitor.storage.migrate import Migrations

VERSION_TABLE = "casework_alembic_version"
MIGRATIONS = Migrations(Path(__file__).parent / "migrations", 8480_2028, VERSION_TABLE)

metadata = sa.MetaData()
events = sa.Table(
    "case_events",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    *(sa.Column(name, sa.Text) for name in ("finding", "event", "time", "actor", "details")),
    *(sa.Column(name, sa.LargeBinary) for name in ("previous", "hash", "signature")),
)
heads = sa.Table(
    "case_head",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("seq", sa.BigInteger),
    sa.Column("pruned", sa.BigInteger),
    *(sa.Column(name, sa.LargeBinary) for name in ("hash", "pruned_hash", "signature")),
)
states = sa.Table(
    "case_states",
    metadata,
    sa.Column("finding", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("state", "label", "assignee")),
)
