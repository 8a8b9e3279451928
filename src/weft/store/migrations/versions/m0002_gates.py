"""Gates, signals, and when a waiting run is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("runs", sa.Column("due", sa.Integer))
    op.create_index(
        "runs_by_due",
        "runs",
        ["due"],
        sqlite_where=sa.text("due IS NOT NULL"),
        postgresql_where=sa.text("due IS NOT NULL"),
    )
    op.create_table(
        "gates",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Integer, nullable=False),
        sa.Column("due", sa.Integer),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("decision", sa.Text),
        sa.Column("closed_at", sa.Integer),
    )
    op.create_index("gates_by_status", "gates", ["tenant", "status", "opened_at"])
    op.create_index("gates_by_run", "gates", ["run_id", "status"])
    op.create_table(
        "signals",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("signals_key", "signals", ["run_id", "key"], unique=True)
    op.create_index("signals_by_run", "signals", ["run_id", "taken"])


def downgrade() -> None:
    op.drop_table("signals")
    op.drop_table("gates")
    op.drop_index("runs_by_due", "runs")
    op.drop_column("runs", "due")
