"""Work that goes on as long as the process: what goes wrong in it is told, and it begins anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from weft.core.errors import WeftError

_LOG = logging.getLogger("weft.host")
_PAUSE_S = 5.0


async def lasting(what: str, work: Callable[[], Awaitable[None]], *, pause_s: float | None = None) -> None:
    """Do `work` until it returns. Nobody waits for it, so nobody else would see that it has failed."""
    while True:
        try:
            await work()
        except WeftError as error:
            _LOG.warning("%s begins anew: %s", what, error.message)
        except Exception:  # noqa: BLE001 -- told in the log
            _LOG.exception("a defect in %s, which begins anew", what)
        else:
            return
        await asyncio.sleep(_PAUSE_S if pause_s is None else pause_s)
