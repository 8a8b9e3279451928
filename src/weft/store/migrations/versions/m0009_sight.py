"""On Postgres, roles that do not own the tables see of each row only what is their tenant's."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
_TENANT = "(SELECT coalesce(r.tenant, current_setting('weft.tenant', true)) FROM readers r WHERE r.role = current_user)"
_OWNED = (
    *("audit", "audit_heads", "automations", "blobs", "chains", "deliveries", "firings", "flags", "gates", "keys"),
    *("messages", "requests", "runs", "sessions", "task_messages", "users", "webhooks", "workflows"),
)
_SEEN = {
    **dict.fromkeys(_OWNED, f"tenant = {_TENANT}"),
    "tenants": f"id = {_TENANT}",
    "events": "EXISTS (SELECT 1 FROM runs r WHERE r.id = events.run_id)",
    "inbox": "EXISTS (SELECT 1 FROM runs r WHERE r.id = inbox.run_id)",
    "signals": "EXISTS (SELECT 1 FROM runs r WHERE r.id = signals.run_id)",
    "lines": "EXISTS (SELECT 1 FROM runs r WHERE r.id = lines.root)",
    "plans": "EXISTS (SELECT 1 FROM runs r WHERE r.plan_hash = plans.hash)",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute('CREATE TABLE readers (role TEXT COLLATE "C" PRIMARY KEY, tenant TEXT COLLATE "C")')
    op.execute("ALTER TABLE readers ENABLE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY seen ON readers FOR SELECT USING (role = current_user)")
    for name in (*_SEEN, "rates"):
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    for name, condition in _SEEN.items():
        op.execute(f"CREATE POLICY seen ON {name} FOR SELECT USING ({condition})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for name in _SEEN:
        op.execute(f"DROP POLICY seen ON {name}")
    for name in (*_SEEN, "rates"):
        op.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP TABLE readers")
