"""Automations: schedules and triggers, and their firings. One firing starts at most one run, whoever fires it and however often.

A firing is decided by the insertion of its row: the first process to write it decides what becomes of it. The run's id stands in
the row before there is a run, so that a process that dies in between leaves nothing undone: the next one finds the firing due.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, func, or_, select

from weft.core.errors import ConflictError, NotFoundError
from weft.store.sealing import Seal, as_stored, opened
from weft.store.seen import seen_by
from weft.store.sql import Transaction
from weft.store.tables import automations, firings

KEPT_DAYS = 30
_FORGET = (
    "DELETE FROM firings WHERE tenant=? AND automation=? AND nominal<? AND status IN ('started','skipped','refused') "
    "AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id=firings.run_id "
    "AND runs.status NOT IN ('completed','failed','cancelled'))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """Something that starts runs by itself. `kind` is ``schedule``, ``file`` or ``run``; `next_at` is in microseconds."""

    name: str
    kind: str
    rule: Mapping[str, Any]
    request: Mapping[str, Any]
    paused: bool = False
    next_at: int | None = None
    created_at: int = 0
    tenant: str = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One occasion of an automation. `nominal` is when it was to be, `at` when it was seen; both microseconds.

    `status` is ``due`` (its run is to be started), ``buffered`` (after the one before has ended), ``started``, ``skipped`` or
    ``refused``; `reason` says why for the last two.
    """

    automation: str
    key: str
    status: str
    run_id: str
    nominal: int
    at: int
    variables: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    tenant: str = "local"


class Automations:
    """Questions about automations and what they have started."""

    def __init__(self, engine: Engine, path: Path | str, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._seal = seal

    def get(self, name: str, *, tenant: str = "local") -> Automation:
        """The automation of this name.

        Raises:
            NotFoundError: there is none.
        """
        query = select(automations).where(automations.c.tenant == tenant, automations.c.name == name)
        with self._read(tenant) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise _unknown(name)
        return self._automation(row)

    def of_kind(self, *kinds: str, tenant: str = "local") -> list[Automation]:
        """The automations of these kinds, or all of them, by name."""
        query = select(automations).where(automations.c.tenant == tenant).order_by(automations.c.name)
        if kinds:
            query = query.where(automations.c.kind.in_(kinds))
        with self._read(tenant) as connection:
            return [self._automation(row) for row in connection.execute(query)]

    def active(self, at: int) -> list[Automation]:
        """What has to be looked after now, of every tenant: triggers, and schedules whose time has come; none that are paused."""
        query = (
            select(automations)
            .where(automations.c.paused == 0)
            .where(or_(automations.c.kind != "schedule", automations.c.next_at <= at))
            .order_by(automations.c.next_at, automations.c.name)
        )
        with self._read() as connection:
            return [self._automation(row) for row in connection.execute(query)]

    def next_at(self) -> int | None:
        """When the next schedule, of any tenant, is due."""
        query = select(func.min(automations.c.next_at)).where(automations.c.paused == 0)
        with self._read() as connection:
            found: int | None = connection.execute(query).scalar_one()
        return found

    def firings(self, name: str, *, limit: int = 20, tenant: str = "local") -> list[Firing]:
        """What an automation has done, the latest first."""
        query = (
            select(firings)
            .where(firings.c.tenant == tenant, firings.c.automation == name)
            .order_by(firings.c.nominal.desc(), firings.c.key)
            .limit(limit)
        )
        with self._read(tenant) as connection:
            return [self._firing(row) for row in connection.execute(query)]

    def known(self, name: str, key: str, *, tenant: str = "local") -> bool:
        """Whether this occasion of an automation has been seen."""
        query = select(firings.c.key).where(
            and_(firings.c.tenant == tenant, firings.c.automation == name, firings.c.key == key)
        )
        with self._read(tenant) as connection:
            return connection.execute(query).first() is not None

    def unfinished(self, *, limit: int = 1_000) -> list[Firing]:
        """Firings, of every tenant, whose run is still to be started, the oldest first; none of automations that are paused."""
        query = (
            select(firings)
            .join(
                automations,
                and_(automations.c.tenant == firings.c.tenant, automations.c.name == firings.c.automation),
            )
            .where(automations.c.paused == 0)
            .where(firings.c.tenant.in_(select(automations.c.tenant)), firings.c.status.in_(("due", "buffered")))
            .order_by(firings.c.at, firings.c.nominal, firings.c.automation, firings.c.key)
            .limit(limit)
        )
        with self._read() as connection:
            return [self._firing(row) for row in connection.execute(query)]

    def last_started(self, name: str, *, before: Firing, tenant: str = "local") -> Firing | None:
        """The latest firing of an automation before this one that has, or will have, a run."""
        query = (
            select(firings)
            .where(firings.c.tenant == tenant, firings.c.automation == name, firings.c.key != before.key)
            .where(firings.c.status.in_(("due", "started")), firings.c.nominal <= before.nominal)
            .order_by(firings.c.nominal.desc(), firings.c.key.desc())
            .limit(1)
        )
        with self._read(tenant) as connection:
            row = connection.execute(query).first()
        return None if row is None else self._firing(row)

    def _automation(self, row: Row[Any]) -> Automation:
        data = opened(self._seal, "automations", row._mapping)  # noqa: SLF001 -- SQLAlchemy's documented way to a mapping
        plain = {name: json.loads(data[name]) for name in ("rule", "request")}
        return Automation(**{**data, **plain, "paused": bool(data["paused"])})

    def _firing(self, row: Row[Any]) -> Firing:
        data = opened(self._seal, "firings", row._mapping)  # noqa: SLF001 -- same
        return Firing(**{**data, "variables": json.loads(data["variables"])})

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def add(automation: Automation) -> Callable[[Transaction], None]:
    """Work for the writer: keep a new automation.

    Raises:
        ConflictError: there is one of this name.
    """

    def work(connection: Transaction) -> None:
        rule, request = _stored(connection, automation)
        done = connection.execute(
            "INSERT INTO automations (tenant, name, kind, rule, request, paused, next_at, created_at) "
            "VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (
                automation.tenant,
                automation.name,
                automation.kind,
                rule,
                request,
                int(automation.paused),
                automation.next_at,
                automation.created_at,
            ),
        )
        if done.rowcount != 1:
            raise ConflictError(
                f"there is an automation called {automation.name!r} already",
                fix="give another --name, or remove it first",
            )

    return work


def set_paused(changed: Automation) -> Callable[[Transaction], None]:
    """Work for the writer: pause an automation, or let it go on by its rule, from its `next_at`.

    Raises:
        NotFoundError: there is none of this name.
    """

    def work(connection: Transaction) -> None:
        rule, _ = _stored(connection, changed)
        done = connection.execute(
            "UPDATE automations SET paused=?, next_at=?, rule=? WHERE tenant=? AND name=?",
            (int(changed.paused), changed.next_at, rule, changed.tenant, changed.name),
        )
        if done.rowcount != 1:
            raise _unknown(changed.name)

    return work


def change(changed: Automation) -> Callable[[Transaction], None]:
    """Work for the writer: give an automation another rule and request; what it has done stays.

    Raises:
        NotFoundError: there is none of this name and kind.
    """

    def work(connection: Transaction) -> None:
        rule, request = _stored(connection, changed)
        done = connection.execute(
            "UPDATE automations SET rule=?, request=?, next_at=? WHERE tenant=? AND name=? AND kind=?",
            (
                rule,
                request,
                changed.next_at,
                changed.tenant,
                changed.name,
                changed.kind,
            ),
        )
        if done.rowcount != 1:
            raise _unknown(changed.name)

    return work


def remove(name: str, *, tenant: str = "local") -> Callable[[Transaction], None]:
    """Work for the writer: forget an automation and its firings; runs that it has started stay.

    Raises:
        NotFoundError: there is none of this name.
    """

    def work(connection: Transaction) -> None:
        done = connection.execute("DELETE FROM automations WHERE tenant=? AND name=?", (tenant, name))
        if done.rowcount != 1:
            raise _unknown(name)
        connection.execute("DELETE FROM firings WHERE tenant=? AND automation=?", (tenant, name))

    return work


def fire(firing_list: list[Firing], *, next_at: int | None = None) -> Callable[[Transaction], int]:
    """Work for the writer: note occasions of one automation and when it is next due; returns how many were new.

    An automation that was removed or paused meanwhile fires no more. What a schedule did more than `KEPT_DAYS` ago is forgotten,
    unless that run is still open; triggers have to remember what they have seen.
    """

    def work(connection: Transaction) -> int:
        new = 0
        if firing_list and next_at is not None:
            first = firing_list[0]
            connection.execute(_FORGET, (first.tenant, first.automation, first.at - KEPT_DAYS * 86_400_000_000))
        for one in firing_list:
            where = (one.tenant, one.automation, one.key)
            said = json.dumps(dict(one.variables))
            variables, reason = as_stored(connection, "firings", one.tenant, where, variables=said, reason=one.reason)
            done = connection.execute(
                "INSERT INTO firings (tenant, automation, key, status, run_id, variables, reason, nominal, at) "
                "SELECT tenant, name, ?, ?, ?, ?, ?, ?, ? FROM automations WHERE tenant=? AND name=? AND paused=0 "
                "ON CONFLICT DO NOTHING",
                (
                    one.key,
                    one.status,
                    one.run_id,
                    variables,
                    reason,
                    one.nominal,
                    one.at,
                    one.tenant,
                    one.automation,
                ),
            )
            new += done.rowcount
        if firing_list and next_at is not None:
            first = firing_list[0]
            connection.execute(
                "UPDATE automations SET next_at=? WHERE tenant=? AND name=? AND next_at<?",
                (next_at, first.tenant, first.automation, next_at),
            )
        return new

    return work


def settle(firing: Firing, status: str, reason: str = "") -> Callable[[Transaction], bool]:
    """Work for the writer: say what became of a firing; False when somebody else has said it."""

    def work(connection: Transaction) -> bool:
        where = (firing.tenant, firing.automation, firing.key)
        (said,) = as_stored(connection, "firings", firing.tenant, where, reason=reason)
        done = connection.execute(
            "UPDATE firings SET status=?, reason=? WHERE tenant=? AND automation=? AND key=? AND status=?",
            (status, said, *where, firing.status),
        )
        return done.rowcount == 1

    return work


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        f"there is no automation called {name!r}", fix="`weft schedules list` and `weft triggers list` show them"
    )


def _stored(connection: Transaction, one: Automation) -> list[str | None]:
    """The rule and the request of an automation as they are stored."""
    rule, request = json.dumps(dict(one.rule)), json.dumps(dict(one.request))
    return as_stored(connection, "automations", one.tenant, (one.tenant, one.name), rule=rule, request=request)
