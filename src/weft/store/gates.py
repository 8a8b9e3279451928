"""Gates: one row for each question that a run has put to a person or an outside system.

The row is where a question is decided: the first answer to reach it wins, whoever gave it, and a deadline is an answer like any
other. The run's driver then writes what won into the journal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, or_, select

from weft.core.errors import ConflictError, NotFoundError
from weft.store.sealing import Seal, as_stored, of_run, opened
from weft.store.seen import seen_by
from weft.store.sql import Transaction
from weft.store.statuses import TERMINAL
from weft.store.tables import gates, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One question. Times are microseconds since the epoch.

    `status` is ``open``, ``decided`` (somebody answered), ``expired`` (the deadline did) or ``withdrawn`` (the run needs no
    answer any more). `request` is what was asked, `decision` what came of it.
    """

    id: str
    tenant: str
    run_id: str
    path: str
    status: str
    opened_at: int
    due: int | None
    request: dict[str, Any]
    decision: dict[str, Any] | None
    closed_at: int | None
    workflow: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds for a gate after somebody tried to decide it; `won` says that it was this attempt."""

    decision: Mapping[str, Any]
    won: bool


class Gates:
    """Questions about gates, and the acts that change one."""

    def __init__(self, engine: Engine, path: Path | str, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._seal = seal

    def get(self, gate_id: str, *, tenant: str | None = None) -> Gate:
        """The gate with this id; with a `tenant`, only one of theirs: what is another's is not there.

        Raises:
            NotFoundError: there is none.
        """
        with self._read(tenant) as connection:
            row = connection.execute(_query().where(gates.c.id == gate_id)).first()
        if row is None or (tenant is not None and row.tenant != tenant):
            raise NotFoundError(f"there is no gate {gate_id!r}", fix="`weft gates` shows what waits for an answer")
        return self._gate(row)

    def of(self, run_id: str) -> list[Gate]:
        """All gates of a run, in the order in which they were opened."""
        query = _query().where(gates.c.run_id == run_id).order_by(gates.c.opened_at, gates.c.path)
        with self._read() as connection:
            return [self._gate(row) for row in connection.execute(query)]

    def open(self, *, tenant: str = "local", limit: int = 100) -> list[Gate]:
        """Open gates of all runs, the newest first."""
        query = (
            _query()
            .where(gates.c.tenant == tenant, gates.c.status == "open")
            .order_by(gates.c.opened_at.desc(), gates.c.id)
            .limit(limit)
        )
        with self._read(tenant) as connection:
            return [self._gate(row) for row in connection.execute(query)]

    def search(
        self,
        *,
        tenant: str = "local",
        status: str | None = "open",
        run_id: str | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[Gate]:
        """Gates, the newest first; `before` is the (opened_at, id) of the last one of the page before."""
        query = _query().where(gates.c.tenant == tenant)
        if status is not None:
            query = query.where(gates.c.status == status)
        if run_id is not None:
            query = query.where(gates.c.run_id == run_id)
        if before is not None:
            at, last = before
            query = query.where(or_(gates.c.opened_at < at, (gates.c.opened_at == at) & (gates.c.id > last)))
        query = query.order_by(gates.c.opened_at.desc(), gates.c.id).limit(limit)
        with self._read(tenant) as connection:
            return [self._gate(row) for row in connection.execute(query)]

    def decision(self, gate_id: str) -> dict[str, Any] | None:
        """What was decided at a gate, or None while nothing is."""
        with self._read() as connection:
            query = select(gates.c.id, gates.c.tenant, gates.c.decision).where(gates.c.id == gate_id)
            row = connection.execute(query).one_or_none()
        if row is None or row.decision is None:
            return None
        found: dict[str, Any] = json.loads(opened(self._seal, "gates", row._mapping)["decision"])  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping
        return found

    def decided(self, gate_ids: Collection[str]) -> bool:
        """Whether one of these gates is decided."""
        query = select(gates.c.id).where(gates.c.id.in_(list(gate_ids)), gates.c.decision.is_not(None)).limit(1)
        with self._read() as connection:
            return connection.execute(query).first() is not None

    def _gate(self, row: Row[Any]) -> Gate:
        data = opened(self._seal, "gates", row._mapping)  # noqa: SLF001 -- same
        decision = json.loads(data["decision"] or "null")
        return Gate(**{**data, "request": json.loads(data["request"]), "decision": decision})

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def open_gate(
    gate_id: str, run_id: str, path: str, request: Mapping[str, Any], *, at: int, due: int | None
) -> Callable[[Transaction], None]:
    """Work for an append: put a question."""
    text = json.dumps(dict(request))

    def work(connection: Transaction) -> None:
        (stored,) = as_stored(connection, "gates", of_run(connection, run_id), (gate_id,), request=text)
        connection.execute(
            "INSERT INTO gates (id, tenant, run_id, path, status, opened_at, due, request) "
            "SELECT ?, tenant, id, ?, 'open', ?, CAST(? AS BIGINT), ? FROM runs WHERE id=?",
            (gate_id, path, at, due, stored, run_id),
        )

    return work


def withdraw(run_id: str, gate_ids: Collection[str], at: int) -> Callable[[Transaction], None]:
    """Work for an append: the run needs no answer to these any more."""

    def work(connection: Transaction) -> None:
        connection.executemany(
            "UPDATE gates SET status='withdrawn', closed_at=? WHERE id=? AND run_id=? AND status='open'",
            [(at, gate_id, run_id) for gate_id in gate_ids],
        )

    return work


def decide(
    gate_id: str, decision: Mapping[str, Any], *, at: int, expired: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Callable[[Transaction], Verdict]:
    """Work for the writer: decide a gate, unless something was decided before or its deadline has passed.

    `expired` makes of a request what its deadline decides.

    Raises:
        NotFoundError: there is no such gate.
        ConflictError: the run needs no answer any more.
    """

    def work(connection: Transaction) -> Verdict:
        row = connection.execute(
            "SELECT g.status, g.decision, g.due, g.request, g.run_id, r.status, g.tenant FROM gates g JOIN runs r ON r.id = g.run_id "
            "WHERE g.id=?",
            (gate_id,),
        ).fetchone()
        if row is None:
            raise NotFoundError(f"there is no gate {gate_id!r}", fix="`weft gates` shows what waits for an answer")
        status, known, due, request, run_id, run_status, tenant = row
        stored = {"id": gate_id, "tenant": tenant, "decision": known, "request": request}
        told = opened(connection.seal, "gates", stored)
        if known is not None:
            return Verdict(json.loads(told["decision"]), won=False)
        if status != "open" or run_status in TERMINAL:
            why = f"the run has ended ({run_status})" if run_status in TERMINAL else "the run went on without an answer"
            raise ConflictError(
                f"nobody is asked any more: {why}", fix=f"`weft show {run_id}` shows what happened", run=run_id
            )
        late = due is not None and at >= due
        final = expired(json.loads(told["request"])) if late else decision
        (text,) = as_stored(connection, "gates", tenant, (gate_id,), decision=json.dumps(dict(final)))
        connection.execute(
            "UPDATE gates SET status=?, decision=?, closed_at=? WHERE id=?",
            ("expired" if final.get("how") == "deadline" else "decided", text, at, gate_id),
        )
        mark_due(connection, run_id, at)
        return Verdict(final, won=final == decision)

    return work


def mark_due(connection: Transaction, run_id: str, at: int) -> None:
    """A run that waits can go on by itself from `at` on: what it waits for has come."""
    connection.execute(
        "UPDATE runs SET due=? WHERE id=? AND status='waiting' AND (due IS NULL OR due>?)", (at, run_id, at)
    )


def _query() -> Any:
    return select(gates, runs.c.workflow).join(runs, runs.c.id == gates.c.run_id)
