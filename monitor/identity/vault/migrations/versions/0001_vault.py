"""The vault, its receipts, and an audit log that its database refuses to change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = (
    "vault_cleaning", "vault_audit_head", "vault_audit", "vault_receipts", "vault_versions", "vault_identities",
    "vault_names_key",
)  # fmt: skip

# INSERT OR REPLACE deletes without asking a trigger for DELETE, so the one for INSERT refuses every other number.
SQLITE = (
    """CREATE TRIGGER vault_audit_no_update BEFORE UPDATE ON vault_audit
       BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER vault_audit_no_delete BEFORE DELETE ON vault_audit
       BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER vault_audit_in_order BEFORE INSERT ON vault_audit
       WHEN NEW.seq IS NOT (SELECT seq + 1 FROM vault_audit_head)
       BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER vault_audit_head_forward BEFORE UPDATE ON vault_audit_head
       WHEN NOT (NEW.one IS OLD.one AND (NEW.seq IS OLD.seq + 1 OR
           (NEW.seq IS OLD.seq AND NEW.hash IS OLD.hash AND NEW.signature IS OLD.signature)))
       BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER vault_audit_head_no_delete BEFORE DELETE ON vault_audit_head
       BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER vault_audit_head_one BEFORE INSERT ON vault_audit_head
       WHEN (SELECT count(*) FROM vault_audit_head) > 0
       BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
)
POSTGRESQL = (
    """CREATE FUNCTION vault_refuse() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
    """CREATE TRIGGER vault_audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON vault_audit
       FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse()""",
    """CREATE TRIGGER vault_audit_head_no_delete BEFORE DELETE OR TRUNCATE ON vault_audit_head
       FOR EACH STATEMENT EXECUTE FUNCTION vault_refuse()""",
    """CREATE TRIGGER vault_audit_head_forward BEFORE UPDATE ON vault_audit_head FOR EACH ROW
       WHEN (NOT (NEW.one = OLD.one AND (NEW.seq = OLD.seq + 1 OR
           (NEW.seq = OLD.seq AND NEW.hash = OLD.hash AND NEW.signature = OLD.signature))))
       EXECUTE FUNCTION vault_refuse()""",
)


def upgrade() -> None:
    op.create_table(
        "vault_names_key",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key_id", sa.String(200), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "vault_identities",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("tag", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "vault_versions",
        sa.Column("identity", sa.String(32), sa.ForeignKey("vault_identities.id"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("schema", sa.Integer(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("approval", sa.LargeBinary()),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(200)),
        sa.Column("wrapped", sa.LargeBinary()),
        sa.Column("sealed", sa.LargeBinary()),
    )
    op.create_table(
        "vault_receipts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("erased", sa.String(32), nullable=False),
        sa.Column("actor", sa.LargeBinary(), nullable=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("versions", sa.Integer(), nullable=False),
        sa.Column("destroyed", sa.Integer(), nullable=False),
        sa.Column("audit", BIG, nullable=False),
    )
    _audit()
    cleaning = op.create_table(
        "vault_cleaning",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("due", BIG, nullable=False),
    )
    op.bulk_insert(cleaning, [{"one": 1, "due": 0}])
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def _audit() -> None:
    op.create_table(
        "vault_audit",
        sa.Column("seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("identity", sa.String(32), nullable=False),
        sa.Column("actor", sa.LargeBinary(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
    head = op.create_table(
        "vault_audit_head",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
    # The first line gives it a signature; until then there is no key.
    op.bulk_insert(head, [{"one": 1, "seq": 0, "hash": bytes(32), "signature": b""}])


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION vault_refuse()")
