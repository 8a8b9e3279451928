"""Plans as the store keeps them: each once, whoever it belongs to."""

from __future__ import annotations

from weft.store.sealing import STORE, Spot
from weft.store.sql import Transaction


def keep_plan(connection: Transaction, plan_hash: str, body: bytes) -> None:
    """Keep a plan, unless it is there."""
    seal = connection.seal
    if seal is not None and seal.writes:
        body = seal.seal(connection, Spot(STORE, "plans", "body", (plan_hash,)), body)
    connection.execute("INSERT INTO plans VALUES (?,?) ON CONFLICT DO NOTHING", (plan_hash, body))
