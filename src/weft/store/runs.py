"""Runs: one row each, a projection of the run's events that lists and claims read."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, Text, exists, or_, select
from sqlalchemy import cast as cast_as

from weft.core.errors import InputError, MismatchError, NotFoundError
from weft.core.usage import Usage
from weft.store.append import NewRun
from weft.store.listing import RunFilter, page
from weft.store.port import Drivers
from weft.store.sealing import Seal, opened
from weft.store.seen import seen_by
from weft.store.sql import Transaction
from weft.store.statuses import TERMINAL
from weft.store.tables import firings, runs

OPEN = ("queued", "running", "waiting", "stalled")
_COLUMNS = [column for column in runs.c if column.name not in {"head_hash", "ended_at"}]
_NAMES = [column.name for column in _COLUMNS]
_TENANT = _NAMES.index("tenant")
_BY_ID = f"SELECT {', '.join(_NAMES)} FROM runs WHERE id=?"  # noqa: S608 -- our own names
"""Written out: it is asked for all the time, and to have it built costs several times what it does."""
_READY = """
WITH RECURSIVE every (tenant) AS (
    SELECT MIN(tenant) FROM runs
    UNION ALL SELECT (SELECT MIN(tenant) FROM runs WHERE tenant > every.tenant) FROM every WHERE every.tenant IS NOT NULL
)
SELECT id, driver, tenant FROM (
    SELECT id, driver, tenant, created_at, ROW_NUMBER() OVER (PARTITION BY tenant ORDER BY created_at, id) AS turn FROM runs
    WHERE tenant IN (SELECT tenant FROM every) AND status IN ('queued', 'running', 'waiting')
        AND (status <> 'waiting' OR due <= ?) AND NOT (epoch = 0 AND base_run IS NOT NULL)
) AS ready
ORDER BY turn, created_at, id
"""
"""By tenant, as the index of runs by their status has them; the tenants are found by leaps through another index, and take turns."""
_NOTHING = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run as lists show it. Times are microseconds since the epoch.

    `status` is what the journal says; `driven` whether a live process drives it now. An open run that nobody drives and that
    waits for nothing else waits for a driver. `due` is when a waiting run can go on by itself: a timer, a gate's deadline.
    """

    id: str
    tenant: str
    principal: str
    session: str
    workflow: str
    plan_hash: str
    status: str
    waits: tuple[dict[str, Any], ...]
    epoch: int
    generation: int
    head_seq: int
    inputs: dict[str, Any]
    options: dict[str, Any]
    outputs: Any
    error: dict[str, Any] | None
    usage: Usage
    created_at: int
    updated_at: int
    driven: bool
    due: int | None = None
    base_run: str | None = None
    base_seq: int | None = None
    parent: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the run takes no more events."""
        return self.status in TERMINAL


class Runs:
    """Questions about runs."""

    def __init__(
        self,
        engine: Engine,
        drivers: Drivers,
        path: Path | str,
        at_once: Callable[[str | None], AbstractContextManager[Transaction]],
        seal: Seal | None = None,
    ) -> None:
        self._seal = seal
        self._engine = engine
        self._at_once = at_once
        self._drivers = drivers
        self._path = path

    def due(self, at: int, *, tenant: str = "local", limit: int = 100) -> list[Run]:
        """Waiting runs that could go on by themselves at `at`, those that have waited longest first; nobody drives them."""
        query = (
            select(*_COLUMNS)
            .where(runs.c.due <= at, runs.c.status == "waiting", runs.c.tenant == tenant)
            .order_by(runs.c.due, runs.c.id)
            .limit(limit)
        )
        with self._read(tenant) as connection:
            return [run for row in connection.execute(query) if not (run := self._run(row)).driven]

    def ready(self, at: int, *, limit: int = 100) -> list[tuple[str, str]]:
        """Open runs that could be driven on at `at` and that nobody drives: the id of each, and its tenant.

        Those are runs in the queue, runs whose process has died, and waiting runs that are due. A run that somebody has
        interrupted is left alone, and so is a fork that has never been made to go: whoever made it means to. Tenants take turns,
        however many runs one of them has; within a tenant the oldest comes first.
        """
        with self._at_once(None) as connection:
            found = connection.execute(_READY, (at,))
            undriven = ((run_id, tenant) for run_id, driver, tenant in found if not self._drivers.alive(driver))
            return list(islice(undriven, limit))

    def ended_since(
        self,
        workflow: str,
        statuses: Collection[str],
        since: int,
        *,
        unseen_by: str,
        tenant: str = "local",
        limit: int = 100,
    ) -> list[Run]:
        """Runs of a workflow that have ended in one of `statuses` at or after `since`, oldest end first.

        Those whose end the automation `unseen_by` has a firing for are left out.
        """
        key = runs.c.id + ":" + cast_as(runs.c.generation, Text)
        seen = exists().where(firings.c.tenant == tenant, firings.c.automation == unseen_by, firings.c.key == key)
        query = (
            select(*_COLUMNS)
            .where(runs.c.tenant == tenant, runs.c.workflow == workflow, runs.c.ended_at >= since)
            .where(runs.c.status.in_(list(statuses)), ~seen)
            .order_by(runs.c.ended_at, runs.c.id)
            .limit(limit)
        )
        with self._read(tenant) as connection:
            return [self._run(row) for row in connection.execute(query)]

    def next_due(self) -> int | None:
        """When the next waiting run, of any tenant, can go on by itself."""
        query = (
            select(runs.c.due).where(runs.c.due.is_not(None), runs.c.status == "waiting").order_by(runs.c.due).limit(1)
        )
        with self._read() as connection:
            found: int | None = connection.execute(query).scalar_one_or_none()
        return found

    def get(self, run_id: str, *, tenant: str | None = None) -> Run:
        """The run with this id; with a `tenant`, only one of theirs: what is another's is not there.

        Raises:
            NotFoundError: there is none.
        """
        with self._at_once(tenant) as connection:
            row = connection.execute(_BY_ID, (run_id,)).fetchone()
        if row is None or (tenant is not None and row[_TENANT] != tenant):
            raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
        return self._made(dict(zip(_NAMES, row, strict=True)))

    def has(self, run_id: str) -> bool:
        """Whether there is a run with this id."""
        with self._at_once(None) as connection:
            return connection.execute("SELECT 1 FROM runs WHERE id=?", (run_id,)).fetchone() is not None

    def find(self, text: str, *, tenant: str = "local") -> Run:
        """The run that `text` means: an id, the beginning or end of one, or ``last``.

        Raises:
            NotFoundError: no run fits.
            InputError: more than one does, or `text` is empty.
        """
        if not text:
            # An empty variable of a shell is the beginning of every id.
            raise InputError("no run is named", fix="give its id, or `last`")
        query = select(*_COLUMNS).where(runs.c.tenant == tenant)
        if text == "last":
            query = query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(1)
        else:
            query = (
                query.where(or_(runs.c.id.startswith(text, autoescape=True), runs.c.id.endswith(text, autoescape=True)))
                .order_by((runs.c.id == text).desc(), runs.c.id)
                .limit(6)
            )
        with self._read(tenant) as connection:
            rows = connection.execute(query).all()
        exact = [row for row in rows if row.id == text]
        rows = exact or list(rows)
        if not rows and text == "last":
            raise NotFoundError("there are no runs yet", fix="`weft run FILE` starts one")
        if not rows:
            raise NotFoundError(f"there is no run {text!r}", fix="`weft runs list` shows the runs", run=text)
        if len(rows) > 1:
            raise InputError(
                f"{text!r} fits several runs: {', '.join(row.id for row in rows[:5])}", fix="give more of the id"
            )
        return self._run(rows[0])

    def children(self, run_id: str) -> list[Run]:
        """The runs that steps of this one have started, oldest first."""
        query = select(*_COLUMNS).where(runs.c.parent == run_id).order_by(runs.c.created_at, runs.c.id)
        with self._read() as connection:
            return [self._run(row) for row in connection.execute(query)]

    def list(
        self,
        *,
        tenant: str = "local",
        status: str | None = None,
        workflow: str | None = None,
        before: tuple[int, str] | None = None,
        children: bool = True,
        limit: int = 50,
    ) -> list[Run]:
        """Runs, newest first; `before` is the (created_at, id) of the last run of the page before.

        Without `children`, only those that no other run has started.
        """
        which = RunFilter(statuses=() if status is None else (status,), workflow=workflow, children=children)
        return self.search(which, tenant=tenant, before=before, limit=limit)

    def search(
        self, which: RunFilter, *, tenant: str = "local", before: tuple[int, str] | None = None, limit: int = 50
    ) -> builtins.list[Run]:
        """The runs that `which` lets through, newest first; see `list`."""
        query = page(select(*_COLUMNS).where(runs.c.tenant == tenant), which, before, limit)
        with self._read(tenant) as connection:
            return [self._run(row) for row in connection.execute(query)]

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)

    def _run(self, row: Row[Any]) -> Run:
        return self._made(dict(row._mapping))  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping

    def _made(self, data: dict[str, Any]) -> Run:
        driver = data.pop("driver")
        data = opened(self._seal, "runs", data)
        try:
            read = {
                "waits": tuple(_loaded(data["waits"]) or ()),
                "inputs": _loaded(data["inputs"]),
                "options": _loaded(data["options"]),
                "outputs": _loaded(data["outputs"]),
                "error": _loaded(data["error"]),
                "usage": Usage.from_json(json.loads(data["usage"])) if data["usage"] else _NOTHING,
            }
        except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise _unreadable(data) from error
        return Run(**{**data, **read, "driven": self._drivers.alive(driver)})


def created(new: NewRun, at: int) -> Run:
    """The run that was just created and is driven from its beginning, as its row says it."""
    base_run, base_seq = new.base or (None, None)
    return Run(
        id=new.id,
        tenant=new.tenant,
        principal=new.principal,
        session=new.session,
        workflow=new.workflow,
        plan_hash=new.plan_hash,
        status="running",
        waits=(),
        epoch=1,
        generation=0,
        head_seq=(base_seq or 0) + 2,
        inputs=json.loads(new.inputs),
        options=json.loads(new.options),
        outputs=None,
        error=None,
        usage=_NOTHING,
        created_at=at,
        updated_at=at,
        driven=True,
        base_run=base_run,
        base_seq=base_seq,
        parent=new.parent,
    )


def _unreadable(data: dict[str, Any]) -> MismatchError:
    run_id = data["id"]
    return MismatchError(
        f"the row of run {run_id} cannot be read",
        fix="somebody has changed the database, or the disk is failing: `weft db check` names the field; restore a backup",
        run=run_id,
    )


def _loaded(text: str | None) -> Any:
    """A value from its JSON; of most runs most of them are not there, and a row is read more often than anything else."""
    return json.loads(text) if text else None
