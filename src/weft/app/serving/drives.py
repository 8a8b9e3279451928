"""Runs that are driven in the background, each as a task of this process."""

from __future__ import annotations

import asyncio
import logging

from weft.app.local import LocalService
from weft.app.serving.tails import Tails
from weft.core.errors import ConflictError, WeftError

_LOG = logging.getLogger("weft.host")


class Drives:
    """What is being driven, and for which tenants."""

    def __init__(self, service: LocalService, tails: Tails) -> None:
        self._service = service
        self._tails = tails
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tenants: dict[str, str] = {}

    def __len__(self) -> int:
        """How many runs are driven."""
        return len(self._tasks)

    def has(self, tenant: str) -> bool:
        """Whether one of them was begun for this tenant."""
        return tenant in self._tenants.values()

    def begin(self, run_id: str, *, tenant: str = "", reopen: bool = False) -> None:
        """Have a run driven until it ends or waits, unless it is driven already; `tenant` is for whom it was begun just now."""
        if run_id in self._tasks:
            return
        if tenant:
            self._tenants[run_id] = tenant
        self._tasks[run_id] = asyncio.ensure_future(self._drive(run_id, reopen=reopen))

    async def stop(self, patience_s: float) -> list[str]:
        """Let those that are driven go on for so long, and stop the others; which those are."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=patience_s)
        left = dict(self._tasks)
        for task in left.values():
            task.cancel()
        await asyncio.gather(*left.values(), return_exceptions=True)
        return list(left)

    async def _drive(self, run_id: str, *, reopen: bool) -> None:
        try:
            await self._service.drive(run_id, reopen=reopen)
        except ConflictError:
            pass  # somebody else drives it, or it has ended
        except WeftError as error:
            _LOG.warning("run %s stopped: %s", run_id, error.message)
        except Exception:  # noqa: BLE001 -- told in the log
            # A defect that one run brings to light is no reason to stop serving: the worker tries it again later.
            _LOG.exception("a defect while driving %s", run_id)
        finally:
            self._tasks.pop(run_id, None)
            self._tenants.pop(run_id, None)
            self._tails.let_go(run_id)
