"""Runs as tasks of a protocol: lists by when their state last changed, and what callers said to each, in their own form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select

from weft.store.runs import OPEN
from weft.store.sealing import Seal, as_stored, opened
from weft.store.seen import seen_by
from weft.store.service_tables import task_messages
from weft.store.sql import Transaction
from weft.store.tables import gates, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks: of a tenant, and perhaps of a session, a workflow, with some statuses, changed at or after `since` (micros)."""

    tenant: str
    session: str = ""
    workflow: str = ""
    statuses: tuple[str, ...] = ()
    since: int = 0
    principal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidTo:
    """What somebody said to a run; `kind` is ``said``, or ``refused`` for what never became one."""

    tenant: str
    run_id: str
    message: str
    body: str
    principal: str
    at: int
    kind: str = "said"


class Tasks:
    """Questions about runs as tasks."""

    def __init__(self, engine: Engine, path: object, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = str(path)
        self._seal = seal

    def page(self, wanted: TaskFilter, *, before: tuple[int, str] | None = None, limit: int = 50) -> list[str]:
        """The ids of runs that no other run has started, the latest change first; `before` is the place of the page's end."""
        query = select(runs.c.id).where(*_conditions(wanted))
        if before is not None:
            at, run_id = before
            query = query.where(or_(runs.c.updated_at < at, and_(runs.c.updated_at == at, runs.c.id < run_id)))
        query = query.order_by(runs.c.updated_at.desc(), runs.c.id.desc()).limit(limit)
        with seen_by(self._engine, self._path, wanted.tenant) as connection:
            return list(connection.execute(query).scalars())

    def count(self, wanted: TaskFilter) -> int:
        """How many there are in all."""
        query = select(func.count()).select_from(runs).where(*_conditions(wanted))
        with seen_by(self._engine, self._path, wanted.tenant) as connection:
            return int(connection.execute(query).scalar_one())

    def asking(self, run_ids: Collection[str]) -> frozenset[str]:
        """Those of the runs that have an open gate of their own, or an open child run."""
        ids = list(run_ids)
        own = select(gates.c.run_id).where(gates.c.run_id.in_(ids), gates.c.status == "open")
        below = select(runs.c.parent).where(runs.c.parent.in_(ids), runs.c.status.in_(OPEN))
        with seen_by(self._engine, self._path, None) as connection:
            return frozenset([*connection.execute(own).scalars(), *connection.execute(below).scalars()])

    def said_to(self, run_id: str, *, tenant: str) -> list[SaidTo]:
        """What was said to a run, in the order in which it was."""
        query = (
            select(task_messages)
            .where(task_messages.c.tenant == tenant, task_messages.c.run_id == run_id)
            .order_by(task_messages.c.at, task_messages.c.message)
        )
        with seen_by(self._engine, self._path, tenant) as connection:
            rows = connection.execute(query).all()
        return [SaidTo(**opened(self._seal, "task_messages", row._mapping)) for row in rows]  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping


def _conditions(wanted: TaskFilter) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [runs.c.tenant == wanted.tenant, runs.c.parent.is_(None)]
    for column, value in (("session", wanted.session), ("workflow", wanted.workflow), ("principal", wanted.principal)):
        if value:
            found.append(runs.c[column] == value)
    if wanted.statuses:
        found.append(runs.c.status.in_(wanted.statuses))
    if wanted.since:
        found.append(runs.c.updated_at >= wanted.since)
    return found


def say(said: SaidTo) -> Callable[[Transaction], bool]:
    """Work for the writer: keep what was said; false when the same message is there already."""

    def work(connection: Transaction) -> bool:
        where = (said.tenant, said.run_id, said.message, said.kind)
        (body,) = as_stored(connection, "task_messages", said.tenant, where, body=said.body)
        done = connection.execute(
            "INSERT INTO task_messages (tenant, run_id, message, kind, body, principal, at) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT DO NOTHING",
            (*where, body, said.principal, said.at),
        )
        return done.rowcount > 0

    return work
