"""Requests under a key: a repeat is led to the run of the first one instead of starting another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weft.store.sealing import Spot, as_stored, open_text
from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked for. `scope` says where (a repeat elsewhere is another request), `body` is the hash of what was asked.

    `until` is when it is forgotten, in microseconds.
    """

    principal: str
    scope: str
    key: str
    body: str
    run_id: str
    at: int
    until: int
    tenant: str = "local"


@dataclass(frozen=True, slots=True)
class Held:
    """What holds for a key now: its run, whether this request was the first, and whether the first asked for the same."""

    run_id: str
    first: bool
    same: bool


def hold(request: Request) -> Callable[[Transaction], Held]:
    """Work for the writer: keep `request` unless one with its key is known; the run's id is that of the first."""

    def work(connection: Transaction) -> Held:
        connection.execute("DELETE FROM requests WHERE until<=?", (request.at,))
        where = (request.tenant, request.principal, request.scope, request.key)
        row = connection.execute(
            "SELECT run_id, body FROM requests WHERE tenant=? AND principal=? AND scope=? AND key=?", where
        ).fetchone()
        if row is not None:
            return Held(row[0], first=False, same=_body(connection, where, row[1]) == request.body)
        (body,) = as_stored(connection, "requests", request.tenant, where, body=request.body)
        connection.execute(
            "INSERT INTO requests (tenant, principal, scope, key, body, run_id, at, until) VALUES (?,?,?,?,?,?,?,?)",
            (*where, body, request.run_id, request.at, request.until),
        )
        return Held(request.run_id, first=True, same=True)

    return work


def _body(connection: Transaction, where: tuple[str, ...], text: str) -> str:
    return open_text(connection.seal, Spot(where[0], "requests", "body", where), text)


def find(tenant: str, principal: str, scope: str, key: str) -> Callable[[Transaction], Request | None]:
    """Work for the writer: the request that is known under a key."""

    def work(connection: Transaction) -> Request | None:
        row = connection.execute(
            "SELECT body, run_id, at, until FROM requests WHERE tenant=? AND principal=? AND scope=? AND key=?",
            (tenant, principal, scope, key),
        ).fetchone()
        if row is None:
            return None
        text, run_id, at, until = row
        body = _body(connection, (tenant, principal, scope, key), text)
        return Request(
            tenant=tenant, principal=principal, scope=scope, key=key, body=body, run_id=run_id, at=at, until=until
        )

    return work


def let_go(request: Request) -> Callable[[Transaction], None]:
    """Work for the writer: forget a request that came to nothing, so that it can be made again under its key."""

    def work(connection: Transaction) -> None:
        connection.execute(
            "DELETE FROM requests WHERE tenant=? AND principal=? AND scope=? AND key=? AND run_id=?",
            (request.tenant, request.principal, request.scope, request.key, request.run_id),
        )

    return work
