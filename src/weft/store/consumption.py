"""What models have been asked and what that took, request by request, read from the journals of runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, and_, select

from weft.core.usage import Usage
from weft.store.history import payload_of
from weft.store.sealing import Seal
from weft.store.seen import seen_by
from weft.store.tables import blobs, events, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """One step that consumed something of its own: `at` is in microseconds since the epoch."""

    run_id: str
    workflow: str
    agent: str
    model: str
    at: int
    usage: Usage


class Consumption:
    """Questions about what was consumed."""

    def __init__(self, engine: Engine, path: Path | str, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._seal = seal

    def runs(
        self, since: int, until: int, *, workflow: str | None = None, tenant: str = "local", limit: int
    ) -> list[tuple[str, str]]:
        """Ids and workflows of the runs that were at work in a span of time, the newest first."""
        query = select(runs.c.id, runs.c.workflow).where(
            runs.c.tenant == tenant, runs.c.created_at < until, runs.c.updated_at >= since
        )
        if workflow is not None:
            query = query.where(runs.c.workflow == workflow)
        with self._read(tenant) as connection:
            rows = connection.execute(query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit))
            return [(row.id, row.workflow) for row in rows]

    def of(self, run_id: str, workflow: str, since: int, until: int) -> Iterator[Consumed]:
        """What the steps of one run consumed in a span of time. Child runs have their own."""
        blob = and_(blobs.c.hash == events.c.blob, blobs.c.tenant == runs.c.tenant)
        query = (
            select(
                *(
                    events.c[name]
                    for name in ("seq", "at", "kind", "path", "data", "blob", "salt", "commitment", "hash")
                ),
                *(runs.c.tenant, blobs.c.bytes),
            )
            .select_from(events.join(runs, runs.c.id == events.c.run_id).outerjoin(blobs, blob))
            .where(events.c.run_id == run_id, events.c.kind.in_(("step.started", "step.completed")))
            .where(events.c.at < until)
            .order_by(events.c.seq)
        )
        with self._read() as connection:
            rows = connection.execute(query).all()
        begun: dict[str, tuple[str, str]] = {}
        for row in rows:
            data = payload_of(run_id, tuple(row), self._seal)
            if row.kind == "step.started" and b'"type":"model"' in data:
                begun[row.path] = _asked(json.loads(data))
            elif row.kind == "step.completed" and row.at >= since and b'"usage"' in data:
                value = json.loads(data)
                used = value.get("usage")
                if used and value.get("type") != "child":
                    model, agent = begun.get(row.path) or _asked(value)
                    yield Consumed(
                        run_id=run_id,
                        workflow=workflow,
                        agent=agent,
                        model=model,
                        at=row.at,
                        usage=Usage.from_json(used),
                    )

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def _asked(data: dict[str, Any]) -> tuple[str, str]:
    """The model and the agent that a step is about."""
    given = data.get("input")
    return str(data.get("target") or ""), str(given.get("agent") or "") if isinstance(given, dict) else ""
