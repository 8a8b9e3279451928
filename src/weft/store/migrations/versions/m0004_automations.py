"""Automations: schedules and triggers that start runs, and what each of them has started."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "automations",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("paused", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", sa.Integer),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    op.create_index("automations_by_time", "automations", ["tenant", "paused", "next_at"])
    op.create_table(
        "firings",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("automation", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("variables", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("nominal", sa.Integer, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "automation", "key"),
    )
    op.create_index("firings_by_status", "firings", ["tenant", "status", "at"])
    op.create_index("firings_by_time", "firings", ["tenant", "automation", "nominal"])
    op.create_index("runs_by_end", "runs", ["tenant", "workflow", "updated_at"])


def downgrade() -> None:
    op.drop_index("runs_by_end", "runs")
    op.drop_table("firings")
    op.drop_table("automations")
