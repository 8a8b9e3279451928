"""Push notifications of tasks: whom to tell what happens to one run, and how far they have been told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, Row, select

from weft.store.sealing import Seal, Spot, as_stored, open_text, opened
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

    def __init__(self, engine: Engine, path: object, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = str(path)
        self._seal = seal

    def of(self, run_id: str, *, tenant: str) -> list[Hook]:
        """Those of a run, the oldest first."""
        query = select(webhooks).where(
            webhooks.c.tenant == tenant, webhooks.c.run_id == run_id, webhooks.c.kind == _KIND
        )
        with seen_by(self._engine, self._path, tenant) as connection:
            return [self._hook(row) for row in connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))]

    def unfinished(self) -> list[str]:
        """The runs whose hooks have not been told everything."""
        query = (
            select(webhooks.c.tenant, webhooks.c.id, webhooks.c.run_id, webhooks.c.config, runs.c.head_seq)
            .join(runs, runs.c.id == webhooks.c.run_id)
            .where(webhooks.c.kind == _KIND, webhooks.c.paused == 0)
        )
        with seen_by(self._engine, self._path, None) as connection:
            rows = connection.execute(query).all()
        found = (opened(self._seal, "webhooks", row._mapping) for row in rows)  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping
        return sorted({one["run_id"] for one in found if json.loads(one["config"]).get("after", 0) <= one["head_seq"]})

    def _hook(self, row: Row[Any]) -> Hook:
        data = opened(self._seal, "webhooks", row._mapping)  # noqa: SLF001 -- same
        config = json.loads(data["config"])
        return Hook(
            tenant=data["tenant"],
            principal=data["principal"],
            run_id=data["run_id"],
            id=config["id"],
            url=data["url"],
            created_at=data["created_at"],
            config=config,
            secret=json.loads(data["secret"]),
            after=int(config.get("after", 0)),
        )


def put(hook: Hook) -> Callable[[Transaction], None]:
    """Work for the writer: keep a hook, in the place of one with its id."""

    def work(connection: Transaction) -> None:
        config = json.dumps({**hook.config, "id": hook.id, "after": hook.after})
        texts = {"url": hook.url, "config": config, "secret": json.dumps(dict(hook.secret))}
        url, config_, secret = as_stored(connection, "webhooks", hook.tenant, (hook.tenant, hook.row), **texts)
        connection.execute(
            "INSERT INTO webhooks (tenant, id, principal, kind, url, topics, run_id, config, secret, paused, created_at)"
            " VALUES (?,?,?,?,?,?,?,?,?,0,?) ON CONFLICT (tenant, id) DO UPDATE SET principal=excluded.principal, "
            "url=excluded.url, config=excluded.config, secret=excluded.secret, paused=0, created_at=excluded.created_at",
            (
                hook.tenant,
                hook.row,
                hook.principal,
                _KIND,
                url,
                "[]",
                hook.run_id,
                config_,
                secret,
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
            known = open_text(connection.seal, Spot(hook.tenant, "webhooks", "config", where), row[0])
            text = json.dumps({**json.loads(known), "after": after})
            (config,) = as_stored(connection, "webhooks", hook.tenant, where, config=text)
            connection.execute(
                "UPDATE webhooks SET config=?, paused=? WHERE tenant=? AND id=?", (config, int(over), *where)
            )

    return work


def drop(hook_id: str, run_id: str, *, tenant: str) -> Callable[[Transaction], None]:
    """Work for the writer: tell it no more."""

    def work(connection: Transaction) -> None:
        connection.execute("DELETE FROM webhooks WHERE tenant=? AND id=?", (tenant, f"{_KIND}:{run_id}:{hook_id}"))

    return work
