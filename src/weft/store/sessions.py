"""Sessions: conversations, and what was said to start each of their turns. What was answered is in the journal of the turn's run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from weft.store.database import translated
from weft.store.service_tables import messages, sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One conversation. Times are microseconds since the epoch; `head` is the latest message."""

    id: str
    principal: str
    target: str
    title: str
    head: str | None
    created_at: int
    updated_at: int
    tenant: str = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message that began a turn: the run that answers it, and the hash (`chain`) of the conversation up to it."""

    id: str
    session: str
    principal: str
    target: str
    role: str
    content: str
    run_id: str
    chain: str
    at: int
    tenant: str = "local"


class Sessions:
    """Questions about conversations."""

    def __init__(self, engine: Engine, path: Path | str) -> None:
        self._engine = engine
        self._path = path

    def get(self, session: str, *, tenant: str = "local") -> Session | None:
        """The session of this id, if there is one."""
        columns = [column for column in sessions.c if column.name != "expires_at"]
        query = select(*columns).where(sessions.c.tenant == tenant, sessions.c.id == session)
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else Session(**row._mapping)  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    def last_run(self, session: str, *, tenant: str = "local") -> str | None:
        """The run of a session's latest turn."""
        latest = (
            select(messages.c.run_id)
            .where(messages.c.tenant == tenant, messages.c.session == session, messages.c.run_id.is_not(None))
            .order_by(messages.c.created_at.desc(), messages.c.id.desc())
            .limit(1)
        )
        with self._read() as connection:
            found: str | None = connection.execute(latest).scalar_one_or_none()
        return found

    def following(self, chain: str, principal: str, *, tenant: str = "local", limit: int = 16) -> list[tuple[str, str]]:
        """The sessions and runs of a principal in which a conversation of the hash `chain` was answered, the latest first."""
        query = (
            select(messages.c.session, messages.c.run_id)
            .join(sessions, (sessions.c.tenant == messages.c.tenant) & (sessions.c.id == messages.c.session))
            .where(messages.c.tenant == tenant, messages.c.chain == chain, sessions.c.principal == principal)
            .where(messages.c.run_id.is_not(None))
            .order_by(messages.c.created_at.desc())
            .limit(limit)
        )
        with self._read() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with translated(self._path), self._engine.connect() as connection:
            yield connection


def remember(said: Said) -> Callable[[sqlite3.Connection], None]:
    """Work for the writer: keep a message, as the latest of its session, which is made if it is not there."""

    def work(connection: sqlite3.Connection) -> None:
        where = (said.tenant, said.session)
        row = connection.execute("SELECT head FROM sessions WHERE tenant=? AND id=?", where).fetchone()
        if row is None:
            connection.execute(
                "INSERT INTO sessions (tenant, id, principal, target, title, created_at, updated_at) VALUES (?,?,?,?,?,?,?)",
                (*where, said.principal, said.target, said.content[:80], said.at, said.at),
            )
        connection.execute(
            "INSERT INTO messages (tenant, id, session, parent, role, content, run_id, chain, created_at)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (
                said.tenant,
                said.id,
                said.session,
                row[0] if row else None,
                said.role,
                said.content,
                said.run_id,
                said.chain,
                said.at,
            ),
        )
        connection.execute(
            "UPDATE sessions SET head=?, updated_at=? WHERE tenant=? AND id=?", (said.id, said.at, *where)
        )

    return work
