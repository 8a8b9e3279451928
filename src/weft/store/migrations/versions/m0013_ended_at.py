"""When a run has ended is a column of its own, so that no index goes by what every step of a run changes.

Postgres writes a row that has changed next to the old one, and into no index, if nothing that an index goes by has changed and
the page has room: half of each page is kept for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
_ENDED = sa.text("(status='completed' OR status='failed' OR status='cancelled')")


def upgrade() -> None:
    op.add_column("runs", sa.Column("ended_at", sa.Integer))
    op.execute(f"UPDATE runs SET ended_at=updated_at WHERE {_ENDED}")  # noqa: S608 -- ours
    op.drop_index("runs_by_end", "runs")
    held = sa.text("ended_at IS NOT NULL")
    op.create_index("runs_by_end", "runs", ["tenant", "workflow", "ended_at"], sqlite_where=held, postgresql_where=held)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE runs SET (fillfactor=50)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE runs RESET (fillfactor)")
    op.drop_index("runs_by_end", "runs")
    op.create_index(
        "runs_by_end", "runs", ["tenant", "workflow", "updated_at"], sqlite_where=_ENDED, postgresql_where=_ENDED
    )
    op.drop_column("runs", "ended_at")
