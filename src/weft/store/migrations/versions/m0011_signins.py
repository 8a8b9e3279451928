"""Sessions of browsers, each of which can be ended by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
_TENANT = "(SELECT coalesce(r.tenant, current_setting('weft.tenant', true)) FROM readers r WHERE r.role = current_user)"
_TEXTS = ("tenant", "id", "principal", "how", "agent")


def upgrade() -> None:
    op.create_table(
        "signins",
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("signins_by_user", "signins", ["tenant", "principal", "created_at"])
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE signins ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen ON signins FOR SELECT USING (tenant = {_TENANT})")


def downgrade() -> None:
    op.drop_index("signins_by_user", "signins")
    op.drop_table("signins")
