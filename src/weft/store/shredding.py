"""Destroying the keys of a tenant, and with them what they sealed; what runs did stays, with its chain, as if it were erased."""

from __future__ import annotations

from collections.abc import Callable

from weft.core.errors import ConflictError
from weft.store.data_keys import shred
from weft.store.sql import Transaction
from weft.store.statuses import OPEN

_OF_TENANT = (
    *("automations", "firings", "webhooks", "deliveries", "messages", "sessions", "chains", "requests"),
    *("task_messages", "workflows"),
)
_OF_RUNS = ("gates", "inbox", "signals")


def shredding(tenant: str, at: int) -> Callable[[Transaction], int]:
    """Work for the writer: destroy the data keys of a tenant, and remove what nobody could read any more; how many keys there were.

    Raises:
        ConflictError: runs of this tenant are open, or it has no key.
    """

    def work(connection: Transaction) -> int:
        row = connection.execute(f"SELECT id FROM runs WHERE tenant=?{OPEN} LIMIT 1", (tenant,)).fetchone()  # noqa: S608 -- ours
        if row is not None:
            raise ConflictError(
                f"the run {row[0]} of tenant {tenant!r} has not ended", fix="`weft cancel` ends it", run=row[0]
            )
        keys = shred(tenant, at)(connection)
        if not keys:
            raise ConflictError(f"the tenant {tenant!r} has no data keys", fix="`weft encryption status` shows who has")
        for table in _OF_TENANT:
            connection.execute(f"DELETE FROM {table} WHERE tenant=?", (tenant,))  # noqa: S608 -- our own names
        for table in _OF_RUNS:
            mine = "SELECT id FROM runs WHERE tenant=?"
            connection.execute(f"DELETE FROM {table} WHERE run_id IN ({mine})", (tenant,))  # noqa: S608 -- our own names
        connection.execute(
            "UPDATE runs SET inputs='{}', options='{}', outputs=NULL, error=NULL, waits=NULL WHERE tenant=?", (tenant,)
        )
        return keys

    return work
