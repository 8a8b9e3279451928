"""Limits on how often runs are started: buckets that every process sees."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "rates",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("full_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("rates")
