"""Sessions: conversations made of runs, each a turn. What was said is in the runs; here is what only the session knows.

``messages`` repeats what was said, for searching. It is filled from the runs whenever somebody searches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, and_, exists, func, or_, select, text

from weft.core.errors import NotFoundError
from weft.store.sealing import Seal, as_stored, opened
from weft.store.seen import seen_by
from weft.store.service_tables import messages, sessions
from weft.store.sql import Transaction
from weft.store.statuses import TERMINAL
from weft.store.tables import runs

_WORDS = re.compile(r"\w+")
_MOST_WORDS = 20
_MOST_SOUGHT = 20_000
"""Messages of one person that are looked through where they are sealed, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One conversation with `target`. `head` is the run of the turn with which it goes on; times are microseconds."""

    id: str
    target: str
    principal: str = "local"
    title: str = ""
    head: str | None = None
    created_at: int = 0
    updated_at: int = 0
    expires_at: int | None = None
    tenant: str = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Something that was said in a session: in the run `run_id`, by ``user`` or ``assistant``."""

    run_id: str
    role: str
    session: str
    principal: str
    content: str
    at: int
    tenant: str = "local"


def _in_sqlite(terms: Sequence[str]) -> Select[Any]:
    words = " ".join(f'"{term}"' for term in terms) + "*"
    return (
        select(messages)
        .join(text("messages_words"), text("messages_words.rowid = messages.rowid"))
        .where(text("messages_words MATCH :terms").bindparams(terms=words))
        .order_by(text("bm25(messages_words)"))
    )


def _in_postgres(terms: Sequence[str]) -> Select[Any]:
    wanted = func.to_tsquery(text("'simple'"), " & ".join(f"'{term}'" for term in terms) + ":*")
    found = func.to_tsvector(text("'simple'"), messages.c.content)
    return select(messages).where(found.bool_op("@@")(wanted)).order_by(func.ts_rank(found, wanted).desc())


_MATCHING = {"sqlite": _in_sqlite, "postgresql": _in_postgres}
"""How each database finds messages that hold all of some words, the last of which may be a beginning; the best match first."""


class Sessions:
    """Questions about conversations."""

    def __init__(self, engine: Engine, path: Path | str, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._seal = seal

    def get(self, session_id: str, *, tenant: str = "local", principal: str | None = None) -> Session:
        """The session of this id; with `principal`, only if it is theirs.

        Raises:
            NotFoundError: there is none.
        """
        query = select(sessions).where(sessions.c.tenant == tenant, sessions.c.id == session_id)
        if principal is not None:
            query = query.where(sessions.c.principal == principal)
        with self._read(tenant) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"there is no session {session_id!r}", fix="list the sessions to see those there are")
        return self._session(row)

    def of(
        self,
        *,
        principal: str,
        tenant: str = "local",
        target: str | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> list[Session]:
        """Sessions of somebody, the latest first; `before` is (updated_at, id) of the last one of the page before."""
        query = select(sessions).where(sessions.c.tenant == tenant, sessions.c.principal == principal)
        if target is not None:
            query = query.where(sessions.c.target == target)
        if before is not None:
            at, last = before
            later = and_(sessions.c.updated_at == at, sessions.c.id < last)
            query = query.where(or_(sessions.c.updated_at < at, later))
        query = query.order_by(sessions.c.updated_at.desc(), sessions.c.id.desc()).limit(limit)
        with self._read(tenant) as connection:
            return [self._session(row) for row in connection.execute(query)]

    def turns(self, session_id: str, *, tenant: str = "local") -> list[tuple[str, str, dict[str, Any]]]:
        """The runs of a session that no other run has started, oldest first: id, status and options."""
        query = (
            select(runs.c.id, runs.c.tenant, runs.c.status, runs.c.options)
            .where(runs.c.tenant == tenant, runs.c.session == session_id, runs.c.parent.is_(None))
            .order_by(runs.c.created_at, runs.c.id)
        )
        with self._read(tenant) as connection:
            rows = connection.execute(query).all()
        found = (opened(self._seal, "runs", row._mapping) for row in rows)  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping
        return [(one["id"], one["status"], json.loads(one["options"])) for one in found]

    def unread(self, *, principal: str, tenant: str = "local", limit: int = 500) -> list[str]:
        """Runs of somebody's sessions that have ended and whose words are not in ``messages`` yet, oldest first."""
        known = exists().where(messages.c.run_id == runs.c.id)
        query = (
            select(runs.c.id)
            .join(sessions, (sessions.c.tenant == runs.c.tenant) & (sessions.c.id == runs.c.session))
            .where(runs.c.tenant == tenant, sessions.c.principal == principal, runs.c.parent.is_(None))
            .where(runs.c.status.in_(list(TERMINAL)), ~known)
            .order_by(runs.c.created_at)
            .limit(limit)
        )
        with self._read(tenant) as connection:
            return list(connection.execute(query).scalars())

    def search(self, words: str, *, principal: str, tenant: str = "local", limit: int = 50) -> list[Spoken]:
        """What somebody's sessions say that holds all of `words`, the best match first. The last word may be a beginning."""
        terms = _WORDS.findall(words)[:_MOST_WORDS]
        if not terms:
            return []
        if self._seal is not None:
            return self._sought(terms, principal, tenant)[:limit]
        query = (
            _MATCHING[self._engine.dialect.name](terms)
            .where(messages.c.tenant == tenant, messages.c.principal == principal)
            .order_by(messages.c.at.desc())
            .limit(limit)
        )
        with self._read(tenant) as connection:
            rows = connection.execute(query)
            return [Spoken(**opened(None, "messages", row._mapping)) for row in rows]  # noqa: SLF001 -- same

    def _sought(self, terms: Sequence[str], principal: str, tenant: str) -> list[Spoken]:
        """As `search`, where words are sealed and no index knows them: the newest messages are opened and looked through."""
        query = (
            select(messages)
            .where(messages.c.tenant == tenant, messages.c.principal == principal)
            .order_by(messages.c.at.desc())
            .limit(_MOST_SOUGHT)
        )
        *whole, last = [term.casefold() for term in terms]
        found: list[tuple[int, Spoken]] = []
        with self._read(tenant) as connection:
            for row in connection.execute(query):
                one = Spoken(**opened(self._seal, "messages", row._mapping))  # noqa: SLF001 -- same
                words = _WORDS.findall(one.content.casefold())
                hits = [sum(word == term for word in words) for term in whole]
                hits.append(sum(word.startswith(last) for word in words))
                if all(hits):
                    found.append((sum(hits), one))
        return [one for _, one in sorted(found, key=lambda hit: (-hit[0], -hit[1].at))]

    def _session(self, row: Row[Any]) -> Session:
        return Session(**opened(self._seal, "sessions", row._mapping))  # noqa: SLF001 -- same

    def expired(self, at: int, *, limit: int = 100) -> list[Session]:
        """Sessions that are to be forgotten at `at`."""
        query = select(sessions).where(sessions.c.expires_at <= at).order_by(sessions.c.expires_at).limit(limit)
        with self._read() as connection:
            return [self._session(row) for row in connection.execute(query)]

    def count(self, *, principal: str, tenant: str = "local") -> int:
        """How many sessions somebody has."""
        query = select(func.count()).where(sessions.c.tenant == tenant, sessions.c.principal == principal)
        with self._read(tenant) as connection:
            return int(connection.execute(query).scalar_one())

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def open_session(session: Session) -> Callable[[Transaction], bool]:
    """Work for the writer: keep a session unless it is there; whether it is that person's now.

    A session of this id that is somebody else's stays theirs.
    """

    def work(connection: Transaction) -> bool:
        (title,) = as_stored(connection, "sessions", session.tenant, (session.tenant, session.id), title=session.title)
        connection.execute(
            "INSERT INTO sessions (tenant, id, principal, target, title, head, created_at, updated_at, expires_at) "
            "VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (
                session.tenant,
                session.id,
                session.principal,
                session.target,
                title,
                session.head,
                session.created_at,
                session.updated_at,
                session.expires_at,
            ),
        )
        (owner,) = connection.execute(
            "SELECT principal FROM sessions WHERE tenant=? AND id=?", (session.tenant, session.id)
        ).fetchone()
        return bool(owner == session.principal)

    return work


def go_on(session: Session, head: str | None, *, at: int, expires_at: int | None) -> Callable[[Transaction], None]:
    """Work for the writer: from now on the conversation goes on after the turn `head`."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "UPDATE sessions SET head=?, updated_at=?, expires_at=? WHERE tenant=? AND id=?",
            (head, at, expires_at, session.tenant, session.id),
        )

    return work


def rename(session: Session, title: str, *, at: int) -> Callable[[Transaction], None]:
    """Work for the writer: give a session another title."""

    def work(connection: Transaction) -> None:
        where = (session.tenant, session.id)
        (text,) = as_stored(connection, "sessions", session.tenant, where, title=title)
        connection.execute("UPDATE sessions SET title=?, updated_at=? WHERE tenant=? AND id=?", (text, at, *where))

    return work


def remove(session: Session) -> Callable[[Transaction], None]:
    """Work for the writer: forget a session; its runs are somebody else's business."""

    def work(connection: Transaction) -> None:
        where = (session.tenant, session.id)
        connection.execute("DELETE FROM messages WHERE tenant=? AND session=?", where)
        connection.execute("DELETE FROM chains WHERE tenant=? AND session=?", where)
        connection.execute("DELETE FROM sessions WHERE tenant=? AND id=?", where)

    return work


def write_down(said: Sequence[Spoken]) -> Callable[[Transaction], None]:
    """Work for the writer: keep what was said, for searching."""

    def work(connection: Transaction) -> None:
        connection.executemany(
            "INSERT INTO messages (tenant, run_id, role, session, principal, content, at) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT DO NOTHING",
            [
                (one.tenant, one.run_id, one.role, one.session, one.principal, _content(connection, one), one.at)
                for one in said
            ],
        )

    return work


def _content(connection: Transaction, one: Spoken) -> str | None:
    return as_stored(connection, "messages", one.tenant, (one.run_id, one.role), content=one.content)[0]
