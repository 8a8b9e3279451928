"""Webhooks: whom to tell what happens, and what each of them is still to be told.

A delivery is a row from the moment at which it is due, under an id that follows from the event: however often and by whomever an
event is found, it is delivered once, and tried again until it arrives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select

from weft.core.errors import ConflictError, NotFoundError
from weft.store.sealing import Seal, as_stored, opened
from weft.store.seen import seen_by
from weft.store.service_tables import deliveries, webhooks
from weft.store.sql import Transaction

KEPT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Somebody to tell. `kind` is the form: ``weft`` (signed HTTP), ``smtp`` (mail), ``a2a``; `topics` what about.

    With `run_id` it is about that run alone. `config` is what the form needs besides an address, such as a version of the key.
    """

    id: str
    kind: str
    url: str
    topics: tuple[str, ...] = ()
    run_id: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    principal: str = "local"
    paused: bool = False
    created_at: int = 0
    tenant: str = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Something to tell a webhook. `status` is ``due``, ``delivered`` or ``failed``; `answer` what came of the last attempt."""

    webhook: str
    id: str
    body: str
    status: str = "due"
    attempts: int = 0
    next_at: int = 0
    answer: str = ""
    created_at: int = 0
    tenant: str = "local"


class Webhooks:
    """Questions about webhooks and what they were told."""

    def __init__(self, engine: Engine, path: Path | str, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._seal = seal

    def active(self, *kinds: str) -> list[Webhook]:
        """All that are not paused, of these forms."""
        query = select(webhooks).where(webhooks.c.paused == 0, webhooks.c.kind.in_(kinds))
        with self._read() as connection:
            return [self._webhook(row) for row in connection.execute(query)]

    def of(self, *, tenant: str = "local", run_id: str | None = None, kinds: Sequence[str] = ()) -> list[Webhook]:
        """The webhooks of a tenant, oldest first; those about one run when it is named."""
        query = select(webhooks).where(webhooks.c.tenant == tenant).order_by(webhooks.c.created_at, webhooks.c.id)
        if run_id is not None:
            query = query.where(webhooks.c.run_id == run_id)
        if kinds:
            query = query.where(webhooks.c.kind.in_(kinds))
        with self._read(tenant) as connection:
            return [self._webhook(row) for row in connection.execute(query)]

    def get(self, webhook_id: str, *, tenant: str = "local") -> Webhook:
        """The webhook of this id.

        Raises:
            NotFoundError: there is none.
        """
        query = select(webhooks).where(webhooks.c.tenant == tenant, webhooks.c.id == webhook_id)
        with self._read(tenant) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"there is no webhook {webhook_id!r}", fix="list the webhooks to see those there are")
        return self._webhook(row)

    def due(self, at: int, *, limit: int = 100) -> list[Delivery]:
        """What is to be told at `at`, what has waited longest first."""
        query = (
            select(deliveries)
            .where(deliveries.c.status == "due", deliveries.c.next_at <= at)
            .order_by(deliveries.c.next_at)
            .limit(limit)
        )
        with self._read() as connection:
            return [self._delivery(row) for row in connection.execute(query)]

    def told(self, webhook: Webhook, *, limit: int = 50) -> list[Delivery]:
        """What a webhook was told or is to be told, the latest first."""
        query = (
            select(deliveries)
            .where(deliveries.c.tenant == webhook.tenant, deliveries.c.webhook == webhook.id)
            .order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc())
            .limit(limit)
        )
        with self._read(webhook.tenant) as connection:
            return [self._delivery(row) for row in connection.execute(query)]

    def latest(self, webhook: Webhook) -> int:
        """When the newest thing was found that a webhook was told of: what is newer may have been missed."""
        query = select(func.max(deliveries.c.created_at)).where(
            deliveries.c.tenant == webhook.tenant, deliveries.c.webhook == webhook.id
        )
        with self._read(webhook.tenant) as connection:
            found = connection.execute(query).scalar_one_or_none()
        return max(webhook.created_at, found or 0)

    def _webhook(self, row: Row[Any]) -> Webhook:
        data = opened(self._seal, "webhooks", {**row._mapping, "secret": ""})  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping
        data.pop("secret")
        data |= {"topics": tuple(json.loads(data["topics"])), "config": json.loads(data["config"])}
        return Webhook(**{**data, "paused": bool(data["paused"])})

    def _delivery(self, row: Row[Any]) -> Delivery:
        return Delivery(**opened(self._seal, "deliveries", row._mapping))  # noqa: SLF001 -- same

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def add(webhook: Webhook) -> Callable[[Transaction], None]:
    """Work for the writer: keep a webhook.

    Raises:
        ConflictError: there is one of this id.
    """

    def work(connection: Transaction) -> None:
        known = connection.execute(
            "SELECT 1 FROM webhooks WHERE tenant=? AND id=?", (webhook.tenant, webhook.id)
        ).fetchone()
        if known is not None:
            raise ConflictError(f"there is a webhook {webhook.id!r} already", fix="choose another id")
        where = (webhook.tenant, webhook.id)
        text = json.dumps(dict(webhook.config))
        url, config = as_stored(connection, "webhooks", webhook.tenant, where, url=webhook.url, config=text)
        connection.execute(
            "INSERT INTO webhooks (tenant, id, principal, kind, url, topics, run_id, config, paused, created_at) "
            "VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                webhook.tenant,
                webhook.id,
                webhook.principal,
                webhook.kind,
                url,
                json.dumps(list(webhook.topics)),
                webhook.run_id,
                config,
                int(webhook.paused),
                webhook.created_at,
            ),
        )

    return work


def change(webhook: Webhook) -> Callable[[Transaction], None]:
    """Work for the writer: pause a webhook or let it go on, and keep its settings."""

    def work(connection: Transaction) -> None:
        where = (webhook.tenant, webhook.id)
        (config,) = as_stored(connection, "webhooks", webhook.tenant, where, config=json.dumps(dict(webhook.config)))
        connection.execute(
            "UPDATE webhooks SET paused=?, config=?, topics=? WHERE tenant=? AND id=?",
            (
                int(webhook.paused),
                config,
                json.dumps(list(webhook.topics)),
                *where,
            ),
        )

    return work


def remove(webhook: Webhook) -> Callable[[Transaction], None]:
    """Work for the writer: forget a webhook and what it is still to be told."""

    def work(connection: Transaction) -> None:
        where = (webhook.tenant, webhook.id)
        connection.execute("DELETE FROM deliveries WHERE tenant=? AND webhook=?", where)
        connection.execute("DELETE FROM webhooks WHERE tenant=? AND id=?", where)

    return work


def enqueue(found: Sequence[Delivery]) -> Callable[[Transaction], int]:
    """Work for the writer: have these told; how many are new."""

    def work(connection: Transaction) -> int:
        done = connection.executemany(
            "INSERT INTO deliveries (tenant, webhook, id, status, attempts, next_at, body, answer, created_at) "
            "VALUES (?,?,?,'due',0,?,?,'',?) ON CONFLICT DO NOTHING",
            [
                (one.tenant, one.webhook, one.id, one.next_at, _stored(connection, one, body=one.body), one.created_at)
                for one in found
            ],
        )
        return max(0, done.rowcount)

    return work


def _stored(connection: Transaction, one: Delivery, **text: str) -> str | None:
    return as_stored(connection, "deliveries", one.tenant, (one.tenant, one.webhook, one.id), **text)[0]


def settle(delivery: Delivery) -> Callable[[Transaction], None]:
    """Work for the writer: keep what came of an attempt; old ones that are over are forgotten."""
    old = delivery.created_at - KEPT_DAYS * 86_400_000_000

    def work(connection: Transaction) -> None:
        where = (delivery.tenant, delivery.webhook, delivery.id)
        answer = _stored(connection, delivery, answer=delivery.answer.replace("\0", " "))
        connection.execute(
            "UPDATE deliveries SET status=?, attempts=?, next_at=?, answer=? WHERE tenant=? AND webhook=? AND id=?",
            (delivery.status, delivery.attempts, delivery.next_at, answer, *where),
        )
        connection.execute(
            "DELETE FROM deliveries WHERE tenant=? AND webhook=? AND status!='due' AND created_at<?", (*where[:2], old)
        )

    return work
