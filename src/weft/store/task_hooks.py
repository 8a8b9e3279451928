"""Push notifications of tasks: whom to tell what happens to one run, and how far they have been told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Row, select

from weft.store.seen import seen_by
from weft.store.service_tables import webhooks
from weft.store.sql import Transaction
from weft.store.tables import runs

_KIND = "a2a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One that is told of one run. `config` is what its owner gave, `after` the number of the last event that it knows.

    `secret` is what is sent to show who tells.
    """

    tenant: str
    principal: str
    run_id: str
    id: str
    url: str
    created_at: int
    config: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    after: int = 0

    @property
    def row(self) -> str:
        """The id of its row: callers choose ids for each run anew."""
        return f"{_KIND}:{self.run_id}:{self.id}"


class Hooks:
    """Questions about who is told."""

    def __init__(self, engine: Engine, path: object) -> None:
        self._engine = engine
        self._path = str(path)

    def of(self, run_id: str, *, tenant: str) -> list[Hook]:
        """Those of a run, the oldest first."""
        query = select(webhooks).where(
            webhooks.c.tenant == tenant, webhooks.c.run_id == run_id, webhooks.c.kind == _KIND
        )
        with seen_by(self._engine, self._path, tenant) as connection:
            return [_hook(row) for row in connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))]

    def unfinished(self) -> list[str]:
        """The runs whose hooks have not been told everything."""
        query = (
            select(webhooks.c.run_id, webhooks.c.config, runs.c.head_seq)
            .join(runs, runs.c.id == webhooks.c.run_id)
            .where(webhooks.c.kind == _KIND, webhooks.c.paused == 0)
        )
        with seen_by(self._engine, self._path, None) as connection:
            rows = connection.execute(query)
            return sorted({row.run_id for row in rows if json.loads(row.config).get("after", 0) <= row.head_seq})


def _hook(row: Row[Any]) -> Hook:
    config = json.loads(row.config)
    return Hook(
        tenant=row.tenant,
        principal=row.principal,
        run_id=row.run_id,
        id=config["id"],
        url=row.url,
        created_at=row.created_at,
        config=config,
        secret=json.loads(row.secret),
        after=int(config.get("after", 0)),
    )


def put(hook: Hook) -> Callable[[Transaction], None]:
    """Work for the writer: keep a hook, in the place of one with its id."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "INSERT INTO webhooks (tenant, id, principal, kind, url, topics, run_id, config, secret, paused, created_at)"
            " VALUES (?,?,?,?,?,?,?,?,?,0,?) ON CONFLICT (tenant, id) DO UPDATE SET principal=excluded.principal, "
            "url=excluded.url, config=excluded.config, secret=excluded.secret, paused=0, created_at=excluded.created_at",
            (
                hook.tenant,
                hook.row,
                hook.principal,
                _KIND,
                hook.url,
                "[]",
                hook.run_id,
                json.dumps({**hook.config, "id": hook.id, "after": hook.after}),
                json.dumps(dict(hook.secret)),
                hook.created_at,
            ),
        )

    return work


def told(hook: Hook, *, after: int, over: bool) -> Callable[[Transaction], None]:
    """Work for the writer: it has been told of everything up to event `after`; `over` says that no more will come."""

    def work(connection: Transaction) -> None:
        where = (hook.tenant, hook.row)
        row = connection.execute("SELECT config FROM webhooks WHERE tenant=? AND id=?", where).fetchone()
        if row is not None:
            config = json.dumps({**json.loads(row[0]), "after": after})
            connection.execute(
                "UPDATE webhooks SET config=?, paused=? WHERE tenant=? AND id=?", (config, int(over), *where)
            )

    return work


def drop(hook_id: str, run_id: str, *, tenant: str) -> Callable[[Transaction], None]:
    """Work for the writer: tell it no more."""

    def work(connection: Transaction) -> None:
        connection.execute("DELETE FROM webhooks WHERE tenant=? AND id=?", (tenant, f"{_KIND}:{run_id}:{hook_id}"))

    return work
