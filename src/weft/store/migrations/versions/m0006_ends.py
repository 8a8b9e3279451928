"""The index of runs by their end holds only those that have ended, so that a step of a run that goes on does not rewrite it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_index("runs_by_end", "runs")
    ended = sa.text("(status='completed' OR status='failed' OR status='cancelled')")
    op.create_index(
        "runs_by_end", "runs", ["tenant", "workflow", "updated_at"], sqlite_where=ended, postgresql_where=ended
    )


def downgrade() -> None:
    op.drop_index("runs_by_end", "runs")
    op.create_index("runs_by_end", "runs", ["tenant", "workflow", "updated_at"])
