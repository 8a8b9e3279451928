"""The service: workflows and their versions, conversations, webhooks, users, and what was done by whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
_OWN = {
    # Full-text search over the messages. In SQLite the words stand in the index only, the text in the table.
    "sqlite": (
        "CREATE VIRTUAL TABLE messages_words USING fts5(content, content='messages', tokenize='unicode61')",
        (
            "CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN "
            "INSERT INTO messages_words(rowid, content) VALUES (new.rowid, new.content); END"
        ),
        (
            "CREATE TRIGGER messages_gone AFTER DELETE ON messages BEGIN "
            "INSERT INTO messages_words(messages_words, rowid, content) VALUES ('delete', old.rowid, old.content); END"
        ),
    ),
    # In Postgres also who drives at this moment; SQLite's drivers hold locks of the file system.
    "postgresql": (
        "CREATE INDEX messages_words ON messages USING gin (to_tsvector('simple', content))",
        "CREATE UNLOGGED TABLE drivers (id TEXT PRIMARY KEY, beat TIMESTAMPTZ NOT NULL)",
    ),
}


def upgrade() -> None:
    op.create_index("runs_by_session", "runs", ["tenant", "session", "created_at"])
    op.create_table(
        "workflows",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "version"),
    )
    op.create_table(
        "requests",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("until", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "principal", "scope", "key"),
    )
    op.create_index("requests_by_end", "requests", ["until"])
    op.create_table(
        "sessions",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False, server_default=""),
        sa.Column("head", sa.Text),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("sessions_by_time", "sessions", ["tenant", "principal", "updated_at"])
    op.create_table(
        "messages",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "role"),
    )
    op.create_index("messages_by_session", "messages", ["tenant", "session"])
    for statement in _OWN[op.get_bind().dialect.name]:
        op.execute(statement)
    op.create_table(
        "task_messages",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "run_id", "message", "kind"),
    )
    op.create_table(
        "chains",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "run_id"),
    )
    op.create_index("chains_by_hash", "chains", ["tenant", "principal", "chain", "at"])
    op.create_table(
        "webhooks",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("topics", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False, server_default=""),
        sa.Column("paused", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "webhooks_by_run",
        "webhooks",
        ["run_id"],
        sqlite_where=sa.text("run_id IS NOT NULL"),
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )
    op.create_table(
        "deliveries",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "webhook", "id"),
    )
    op.create_index("deliveries_by_time", "deliveries", ["status", "next_at"])
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("at", sa.Integer, nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["tenant", "at"])
    op.create_table(
        "flags",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("disabled", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "keys",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer),
        sa.Column("revoked_at", sa.Integer),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("keys_by_hash", "keys", ["hash"], unique=True)


def downgrade() -> None:
    op.drop_table("keys")
    op.drop_table("users")
    op.drop_table("tenants")
    op.drop_table("flags")
    op.drop_table("audit")
    op.drop_table("deliveries")
    op.drop_table("webhooks")
    op.drop_table("task_messages")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE messages_words")
    else:
        op.execute("DROP TABLE drivers")
    op.drop_table("messages")
    op.drop_table("chains")
    op.drop_table("sessions")
    op.drop_table("requests")
    op.drop_table("workflows")
    op.drop_index("runs_by_session", "runs")
