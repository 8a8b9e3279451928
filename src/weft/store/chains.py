"""Chains: the conversations that clients send again with each request, by their hash, so that the session they belong to is found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from weft.store.sealing import Seal
from weft.store.seen import seen_by
from weft.store.service_tables import chains, sessions
from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A conversation up to what a run answers; `chain` is its hash, `at` microseconds since the epoch."""

    run_id: str
    session: str
    principal: str
    chain: str
    at: int
    tenant: str = "local"


class Chains:
    """Questions about conversations by their hash."""

    def __init__(self, engine: Engine, path: Path | str, seal: Seal | None = None) -> None:
        self._engine = engine
        self._path = path
        self._seal = seal

    def following(self, chain: str, principal: str, *, tenant: str = "local", limit: int = 8) -> list[tuple[str, str]]:
        """The sessions and runs of somebody in which this conversation was answered, the latest first."""
        named = None if self._seal is None else self._seal.known_name(tenant, chain.encode())
        wanted = [chain] if named is None else [chain, named]
        query = (
            select(chains.c.session, chains.c.run_id)
            .join(sessions, (sessions.c.tenant == chains.c.tenant) & (sessions.c.id == chains.c.session))
            .where(chains.c.tenant == tenant, chains.c.principal == principal, chains.c.chain.in_(wanted))
            .order_by(chains.c.at.desc())
            .limit(limit)
        )
        with self._read(tenant) as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def _read(self, tenant: str | None = None) -> AbstractContextManager[Connection]:
        return seen_by(self._engine, self._path, tenant)


def remember(one: Chain) -> Callable[[Transaction], None]:
    """Work for the writer: keep a chain."""

    def work(connection: Transaction) -> None:
        seal, chain = connection.seal, one.chain
        if seal is not None and seal.writes:
            chain = seal.name(connection, one.tenant, chain.encode())
        connection.execute(
            "INSERT INTO chains (tenant, run_id, principal, chain, session, at) VALUES (?,?,?,?,?,?) "
            "ON CONFLICT DO NOTHING",
            (one.tenant, one.run_id, one.principal, chain, one.session, one.at),
        )

    return work
