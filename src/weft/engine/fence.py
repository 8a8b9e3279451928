"""A process that may have been taken for dead begins nothing that must not happen twice, until it knows that its run is its own."""

from __future__ import annotations

import asyncio
from time import monotonic

from weft.core.clock import since_boot
from weft.core.errors import StorageError, WeftError
from weft.engine.port import RunHalted
from weft.store.journal import Journal

_PATIENCE_S = 30.0
"""As long as an append waits for a database that is away."""
_LOOK_S = 0.05


async def regain(journal: Journal, run_id: str, epoch: int) -> int:
    """Return once this process is held for alive again and still drives the run under `epoch`: how many gaps that takes into account.

    Raises:
        RunHalted: somebody else has taken it over, or the database stays away; the run goes on elsewhere, or later.
    """
    until = monotonic() + _PATIENCE_S
    while since_boot() > journal.drivers.held_until:
        if monotonic() > until:
            error = StorageError("the database does not answer", fix="see that it runs, then `weft resume` the run")
            raise RunHalted(error)
        await asyncio.sleep(_LOOK_S)
    gaps = journal.drivers.gaps
    try:
        await journal.writer.submit(journal.claims.hold(run_id, epoch))
    except WeftError as error:
        raise RunHalted(error) from error
    return gaps
