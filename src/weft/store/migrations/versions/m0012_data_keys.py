"""The keys that seal what tenants keep, wrapped by a master key that is kept elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from weft.core.errors import ConflictError

revision = "0012"
down_revision = "0011"
_TENANT = "(SELECT coalesce(r.tenant, current_setting('weft.tenant', true)) FROM readers r WHERE r.role = current_user)"


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("master", sa.Text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("ended_at", sa.Integer),
        sa.PrimaryKeyConstraint("tenant", "version"),
    )
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen ON data_keys FOR SELECT USING (tenant = {_TENANT})")


def downgrade() -> None:
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM data_keys WHERE ended_at IS NULL")):
        raise ConflictError(
            "the store is sealed, and an older Weft cannot open it",
            fix="open it first: set encryption.write to plain, then `weft encryption reseal`",
        )
    op.drop_table("data_keys")
