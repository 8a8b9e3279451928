"""Plans as the store keeps them: each once, whoever it belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select

from weft.core.errors import MismatchError, NotFoundError
from weft.store.sealing import STORE, Seal, Spot, open_bytes
from weft.store.seen import seen_by
from weft.store.sql import Transaction
from weft.store.tables import plans

_PLAN = select(plans.c.body).where(plans.c.hash == bindparam("hash"))


class Plans:
    """The plans that runs pin."""

    def __init__(self, engine: Engine, path: Path | str, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._seal = seal

    def get(self, plan_hash: str) -> Any:
        """The stored plan with this hash, as JSON.

        Raises:
            NotFoundError: there is none.
            MismatchError: its bytes are not JSON any more.
        """
        with self._read() as connection:
            body = connection.execute(_PLAN, {"hash": plan_hash}).scalar_one_or_none()
        if body is None:
            raise NotFoundError(f"there is no plan {plan_hash!r}", fix="restore the database from a backup")
        try:
            return json.loads(open_bytes(self._seal, Spot(STORE, "plans", "body", (plan_hash,)), body))
        except ValueError as error:
            raise MismatchError(
                f"the stored plan {plan_hash[:12]} cannot be read", fix="restore the database from a backup"
            ) from error

    def keep(self, plan_hash: str, body: bytes) -> Callable[[Transaction], None]:
        """Work for the writer: store a plan, JSON, under its hash, for a child that runs it."""

        def work(connection: Transaction) -> None:
            keep_plan(connection, plan_hash, body)

        return work

    def _read(self) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, None)


def keep_plan(connection: Transaction, plan_hash: str, body: bytes) -> None:
    """Keep a plan, unless it is there."""
    seal = connection.seal
    if seal is not None and seal.writes:
        body = seal.seal(connection, Spot(STORE, "plans", "body", (plan_hash,)), body)
    connection.execute("INSERT INTO plans VALUES (?,?) ON CONFLICT DO NOTHING", (plan_hash, body))
