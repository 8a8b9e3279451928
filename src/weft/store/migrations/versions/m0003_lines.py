"""Lines of forks: which run of a line is the current one, and quick ways from a run to its children and forks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "lines",
        sa.Column("root", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
    )
    for column in ("base_run", "parent"):
        op.create_index(
            f"runs_by_{column}",
            "runs",
            [column],
            sqlite_where=sa.text(f"{column} IS NOT NULL"),
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )


def downgrade() -> None:
    for column in ("parent", "base_run"):
        op.drop_index(f"runs_by_{column}", "runs")
    op.drop_table("lines")
