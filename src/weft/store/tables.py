"""The tables, as SQLAlchemy Core sees them. `migrations` creates the same ones; a test holds the two together.

Times are integers, microseconds since the epoch, UTC. JSON is canonical and stored as bytes where it is hashed, as text where
it is only read. ``events`` is the truth; ``runs`` repeats of it what lists need and can be rebuilt from it.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text, text

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("plan_hash", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("waits", Text),
    Column("epoch", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("driver", Text),
    Column("head_seq", Integer, nullable=False),
    Column("head_hash", LargeBinary, nullable=False),
    Column("parent", Text),
    Column("base_run", Text),
    Column("base_seq", Integer),
    Column("inputs", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("outputs", Text),
    Column("error", Text),
    Column("usage", Text),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Column("due", Integer),  # when a waiting run can go on by itself
    Column("ended_at", Integer),  # null while the run is open
    Index("runs_by_time", "tenant", "created_at"),
    Index("runs_by_status", "tenant", "status", "created_at"),
    Index("runs_by_session", "tenant", "session", "created_at"),
    *(
        Index(
            f"runs_by_{column}",
            column,
            sqlite_where=text(f"{column} IS NOT NULL"),
            postgresql_where=text(f"{column} IS NOT NULL"),
        )
        for column in ("base_run", "parent", "due")
    ),
    # No index goes by `updated_at` or the head, which every step of a run changes: Postgres would rewrite all indexes each time.
    Index(
        "runs_by_end",
        "tenant",
        "workflow",
        "ended_at",
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": 50},
)

events = Table(
    "events",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("outcome", Integer),  # the run's generation when the event ends a step or node, else null
    Column("data", LargeBinary),  # null when the payload is a blob or was erased
    Column("blob", Text),
    Column("salt", LargeBinary),
    Column("commitment", LargeBinary),  # filled only when the payload is erased, so that the chain still verifies
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("run_id", "seq"),
    Index(
        "one_outcome_per_path",
        "run_id",
        "path",
        "outcome",
        unique=True,
        sqlite_where=text("outcome IS NOT NULL"),
        postgresql_where=text("outcome IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

plans = Table(
    "plans",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "hash"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("taken", Integer, nullable=False, server_default="0"),
    Index("inbox_key", "run_id", "key", unique=True),
)

gates = Table(
    "gates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Text, nullable=False),  # open, decided, expired, withdrawn
    Column("opened_at", Integer, nullable=False),
    Column("due", Integer),
    Column("request", Text, nullable=False),
    Column("decision", Text),
    Column("closed_at", Integer),
    Index("gates_by_status", "tenant", "status", "opened_at"),
    Index("gates_by_run", "run_id", "status"),
)

signals = Table(
    "signals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("taken", Integer, nullable=False, server_default="0"),
    Index("signals_key", "run_id", "key", unique=True),
    Index("signals_by_run", "run_id", "taken"),
)

lines = Table(
    "lines",
    metadata,
    Column("root", Text, primary_key=True),  # the run with which a line of forks begins
    Column("run_id", Text, nullable=False),  # the one that is the current one of the line
    Column("at", Integer, nullable=False),
)

automations = Table(
    "automations",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),  # schedule, file, run
    Column("rule", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("paused", Integer, nullable=False, server_default="0"),
    Column("next_at", Integer),  # of a schedule: its next time
    Column("created_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "name"),
    Index("automations_by_time", "tenant", "paused", "next_at"),
)

firings = Table(
    "firings",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("automation", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("status", Text, nullable=False),  # due, buffered, started, skipped, refused
    Column("run_id", Text, nullable=False),
    Column("variables", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("nominal", Integer, nullable=False),
    Column("at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "automation", "key"),
    Index("firings_by_status", "tenant", "status", "at"),
    Index("firings_by_time", "tenant", "automation", "nominal"),
)
