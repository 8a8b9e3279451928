"""One drive of a run: its walk, the walk back when somebody cancels it, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from weft.core.errors import InternalError, MismatchError, WeftError
from weft.core.unexpected import described
from weft.engine import ending
from weft.engine.context import Mask
from weft.engine.defects import log_defect
from weft.engine.ending import RunResult
from weft.engine.interpreter import Interpreter
from weft.engine.port import Failure, Outcome, RunHalted, Runtime, Suspended
from weft.engine.recorder import Recorder
from weft.engine.runtime import EmbeddedRuntime
from weft.engine.waiting import Waiting
from weft.engine.walk.undoing import undoes
from weft.plan.nodes import Plan

_GRACE_S = 10.0
"""How long what was stopped may take to come to its end."""
Ended = tuple[Outcome, Mapping[str, Any]]
"""How a walk ended, and the scope then."""


class Driven:
    """A run that this engine drives now. It begins with the walk back when the journal says that the run is being cancelled.

    Each walk has a runtime of its own, which `runtime` makes, and its own `waiting`; `others` see `Interpreter`. When it is `over`
    its end is being written, which a cancel can no longer change: why one came that `late` is kept for whoever lets go of the run.
    When it is `left` all of that is done.
    """

    def __init__(
        self,
        recorder: Recorder,
        plan: Plan,
        runtime: Callable[[], tuple[EmbeddedRuntime, Waiting]],
        others: Mapping[type, Any] | None = None,
    ) -> None:
        self.recorder = recorder
        self.cancelled = recorder.state.cancelling
        self.over = False
        self.late: str | None = None
        self.left = asyncio.Event()
        self._plan = plan
        self._others = others
        self._new_runtime = runtime
        self._cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begin(back=self.cancelled is not None)

    @property
    def leaving(self) -> bool:
        """Whether the process lets go of the run at this moment, and it may go on later."""
        return self.cancelled is None and self._task.cancelling() > 0

    def cancel(self, reason: str) -> None:
        """Stop going forward, once and unless it is over; `ended` then is how the walk back ends."""
        if self.over:
            self.late = reason
        elif self.cancelled is None:
            self.cancelled = reason
            self.recorder.note("run.cancelling", "", {"reason": reason})
            self._runtime.stop()
            self._task.cancel()
            self._no_longer()

    async def heard(self) -> bool:
        """Whether the drive is being cancelled; one that is over is waited for."""
        if self.over:
            await self.left.wait()
        return self.cancelled is not None

    async def ended(self) -> Ended:
        """How the walk ends; to be asked once.

        Raises:
            asyncio.CancelledError: whoever waits here is cancelled, which is not to cancel the run.
        """
        if self._back:
            return await asyncio.shield(self._task)
        await self._cut
        if self.cancelled is None:
            return self._task.result()
        await self.stop()
        if not undoes(self._plan.root):
            return Failure(ending.CANCELLED), {}
        self.waiting.close()
        self._begin(back=True)
        return await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Stop the walk. A performer that does not let itself be stopped is left to itself after a while, and nobody listens to it."""
        self._runtime.stop()
        if not self._task.cancelling():
            # Once: a second time would cut off those who wait for what they have stopped.
            self._task.cancel()
        await asyncio.wait([self._task], timeout=_GRACE_S)
        if self._task.done() and not self._task.cancelled():
            # Read, so that asyncio does not complain of an exception that no longer matters.
            self._task.exception()

    def _begin(self, *, back: bool) -> None:
        self._back = back
        self._runtime, self.waiting = self._new_runtime()
        on: Runtime = self._runtime.unwound(ending.CANCELLED) if back else self._runtime
        self._task = asyncio.ensure_future(Interpreter(on, self._others).run(self._plan, self.recorder.state.scope))
        self._task.add_done_callback(self._no_longer)

    def _no_longer(self, _: object = None) -> None:
        """The walk has come to its end, or is not waited for any more."""
        if not self._cut.done():
            self._cut.set_result(None)


async def see_through(driven: Driven, mask: Mask, first: Callable[[], Awaitable[object]] | None = None) -> RunResult:
    """How the drive ends, after `first` has been done. Stopped from outside, it leaves the run resumable.

    `mask` takes secrets out of what is written of a defect.
    """
    recorder = driven.recorder
    try:
        if first is not None:
            await first()
        outcome, scope = await driven.ended()
    except RunHalted as halt:
        if isinstance(halt.error, MismatchError):
            return await ending.stalled(recorder, halt.error)
        raise
    except asyncio.CancelledError:
        await driven.stop()
        with suppress(RunHalted):  # the run can be resumed either way
            await asyncio.shield(ending.interrupted(recorder))
        raise
    except WeftError:
        await driven.stop()
        raise
    except Exception as error:  # noqa: BLE001 -- the supervised place: a defect ends the run, with its name
        log_defect(error, run_id=recorder.run_id, path="", mask=mask)
        what = str(mask(recorder.run_id, "", described(error)))
        outcome, scope = Failure(InternalError(what, fix="this is a defect: please report it")), {}
    if driven.cancelled is not None and not isinstance(outcome, Suspended):
        return await ending.cancelled(recorder, driven.cancelled)
    driven.over = True
    return await ending.concluded(recorder, outcome, scope)
