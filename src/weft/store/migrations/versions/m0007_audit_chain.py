"""The audit log becomes a chain for each tenant, with a signed end, that only grows; keys may be narrowed."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

from weft.store.audit_chain import GENESIS, Row, body

revision = "0007"
down_revision = "0006"
_TEXTS = ("principal", "act", "target", "outcome", "data")
_POSTGRES = (
    (
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'entries of the audit log are never changed or removed'; END $$"
    ),
    "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows()",
    "CREATE TRIGGER audit_keeps BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()",
)
_SQLITE = (
    (
        "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN "
        "SELECT RAISE(ABORT, 'entries of the audit log are never changed'); END"
    ),
    (
        "CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN "
        "SELECT RAISE(ABORT, 'entries of the audit log are never removed'); END"
    ),
)


def upgrade() -> None:
    kept = op.get_bind().execute(
        sa.text("SELECT tenant, at, principal, act, target, outcome, data FROM audit ORDER BY seq")
    )
    rows = kept.mappings().all()
    op.drop_index("audit_by_time", "audit")
    op.drop_table("audit")
    made = op.create_table(
        "audit",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "seq"),
    )
    op.create_index("audit_by_time", "audit", ["tenant", "at"])
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
    op.add_column("keys", sa.Column("rights", sa.Text, nullable=False, server_default=""))
    ends: dict[str, tuple[int, str]] = defaultdict(lambda: (0, GENESIS))
    for old in rows:
        seq, prev = ends[old["tenant"]]
        row = Row(seq=seq + 1, **old)
        row = row._replace(hash=sha256(body(row, prev)).hexdigest())
        ends[row.tenant] = (row.seq, row.hash)
        op.get_bind().execute(sa.insert(made), row._asdict())
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRES:
        op.execute(statement)


def downgrade() -> None:
    kept = op.get_bind().execute(
        sa.text("SELECT tenant, at, principal, act, target, outcome, data FROM audit ORDER BY at, tenant, seq")
    )
    rows = kept.mappings().all()
    op.drop_column("keys", "rights")
    op.drop_table("audit_heads")
    op.drop_index("audit_by_time", "audit")
    op.drop_table("audit")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_only_grows()")
    made = op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
        sa.Column("at", sa.Integer, nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["tenant", "at"])
    for old in rows:
        op.get_bind().execute(sa.insert(made), dict(old))
