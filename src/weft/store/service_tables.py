"""The tables of the service, beside those of the journal in `weft.store.tables`.

Times are integers, microseconds since the epoch, UTC; JSON is text. Every row names its tenant.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text, text

from weft.store.tables import metadata

__all__ = ["metadata"]

workflows = Table(
    "workflows",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("principal", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "name", "version"),
)

requests = Table(  # what was asked for under a key, so that a repeat is answered and not done again
    "requests",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body", Text, nullable=False),  # the hash of what was asked
    Column("run_id", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("until", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "principal", "scope", "key"),
    Index("requests_by_end", "until"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("head", Text),  # the run of the turn with which the conversation goes on
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Column("expires_at", Integer),
    PrimaryKeyConstraint("tenant", "id"),
    Index("sessions_by_time", "tenant", "principal", "updated_at"),
)

messages = Table(  # what was said in sessions, for searching; made from the runs, and made anew when it is gone
    "messages",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("role", Text, nullable=False),  # user, assistant
    Column("session", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("at", Integer, nullable=False),
    PrimaryKeyConstraint("run_id", "role"),
    Index("messages_by_session", "tenant", "session"),
)

# What callers of A2A said to a run, in their own form; and runs that were refused before they began.
task_messages = Table(
    "task_messages",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("message", Text, nullable=False),  # the caller's id of it
    Column("kind", Text, nullable=False),  # said, or refused
    Column("body", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "run_id", "message", "kind"),
)

chains = Table(  # conversations as clients send them again: the hash of what was said, and the run that answered it
    "chains",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("chain", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "run_id"),
    Index("chains_by_hash", "tenant", "principal", "chain", "at"),
)

webhooks = Table(  # whom to tell what happens
    "webhooks",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("kind", Text, nullable=False),  # the form in which it is told: weft, a2a, smtp
    Column("url", Text, nullable=False),
    Column("topics", Text, nullable=False),
    Column("run_id", Text),  # of one that is about a single run
    Column("config", Text, nullable=False),
    Column("secret", Text, nullable=False, server_default=""),
    Column("paused", Integer, nullable=False, server_default="0"),
    Column("created_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    Index(
        "webhooks_by_run",
        "run_id",
        sqlite_where=text("run_id IS NOT NULL"),
        postgresql_where=text("run_id IS NOT NULL"),
    ),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("webhook", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("status", Text, nullable=False),  # due, delivered, failed
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("answer", Text, nullable=False, server_default=""),
    Column("created_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "webhook", "id"),
    Index("deliveries_by_time", "status", "next_at"),
)

audit = Table(  # what was done, by whom, and what was denied: a chain for each tenant, numbered without a gap
    "audit",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Integer, nullable=False),
    Column("principal", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # done, denied, failed
    Column("data", Text, nullable=False),
    Column("hash", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "seq"),
    Index("audit_by_time", "tenant", "at"),
)

audit_heads = Table(  # where each chain ends, signed
    "audit_heads",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", Text, nullable=False),
)

shipments = (
    Table(  # how far the audit log was shipped elsewhere; what is being sent, by whom, until when they have time for it
        "shipments",
        metadata,
        Column("tenant", Text, nullable=False),
        Column("target", Text, nullable=False),
        Column("seq", Integer, nullable=False),
        Column("sending", Integer, nullable=False),
        Column("holder", Text, nullable=False),
        Column("until", Integer, nullable=False),
        PrimaryKeyConstraint("tenant", "target"),
    )
)

rates = Table(  # buckets of limits: when each is full again
    "rates",
    metadata,
    Column("name", Text, primary_key=True),
    Column("full_at", Integer, nullable=False),
)

flags = Table(
    "flags",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("updated_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "name"),
)

tenants = Table(
    "tenants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("disabled", Integer, nullable=False, server_default="0"),
    Column("created_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
)

keys = Table(  # credentials of users; what a caller shows is never stored, only its hash
    "keys",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("revoked_at", Integer),
    Column("rights", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("tenant", "id"),
    Index("keys_by_hash", "hash", unique=True),
)

signins = Table(  # sessions of browsers that nobody has ended
    "signins",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
    Index("signins_by_user", "tenant", "principal", "created_at"),
)

data_keys = Table(  # the keys that seal what tenants keep here, wrapped by a master key that is kept elsewhere
    "data_keys",
    metadata,
    Column("tenant", Text, nullable=False),  # empty for what belongs to no tenant
    Column("version", Integer, nullable=False),  # 0 names content, those from 1 on seal it
    Column("wrapped", LargeBinary),  # null once it was shredded
    Column("master", Text, nullable=False),  # the id of the master key
    Column("created_at", Integer, nullable=False),
    Column("ended_at", Integer),
    PrimaryKeyConstraint("tenant", "version"),
)
