"""One drive of a run: its walk, which a cancel can reach, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from weft.core.errors import InternalError, MismatchError, WeftError
from weft.engine import ending
from weft.engine.ending import RunResult
from weft.engine.port import Failure, RunHalted
from weft.engine.recorder import Recorder
from weft.engine.waiting import Waiting


@dataclass(slots=True)
class Driven:
    """A run that this engine drives now."""

    task: asyncio.Task[Any]
    recorder: Recorder
    waiting: Waiting
    cancelled: str | None = None

    @property
    def leaving(self) -> bool:
        """Whether the process lets go of the run at this moment, and it may go on later."""
        return self.cancelled is None and self.task.cancelling() > 0

    def cancel(self, reason: str) -> None:
        """Stop it for good, once."""
        if self.cancelled is None:
            self.cancelled = reason
            self.recorder.note("run.cancelling", "", {"reason": reason})
            self.task.cancel()


async def see_through(driven: Driven, first: Callable[[], Awaitable[object]] | None = None) -> RunResult:
    """How the drive ends, after `first` has been done. Stopped from outside, it leaves the run resumable, unless the run was cancelled."""
    recorder = driven.recorder
    try:
        if first is not None:
            await first()
        outcome, scope = await driven.task
    except RunHalted as halt:
        if isinstance(halt.error, MismatchError):
            return await ending.stalled(recorder, halt.error)
        raise
    except asyncio.CancelledError:
        await _stop(driven.task)
        if driven.cancelled is None:
            with suppress(RunHalted):  # the run can be resumed either way
                await asyncio.shield(ending.interrupted(recorder))
            raise
        return await ending.cancelled(recorder, driven.cancelled)
    except WeftError:
        await _stop(driven.task)
        raise
    except Exception as error:  # noqa: BLE001 -- the supervised place: a defect ends the run, with its name
        what = f"{type(error).__name__}: {error}"
        outcome, scope = Failure(InternalError(what, fix="this is a defect: please report it")), {}
    return await ending.concluded(recorder, outcome, scope)


async def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
