"""The embedded engine: starts, drives, resumes and cancels runs in this process, over a journal that other processes share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from weft.core.canonical import dumps
from weft.core.clock import Clock, SystemClock
from weft.core.errors import ConflictError, MismatchError, WeftError
from weft.core.ids import uuid7
from weft.core.owner import LOCAL, Owner
from weft.core.unexpected import described
from weft.engine import ending
from weft.engine.answering import Answering, Decided, NewSignal
from weft.engine.cancelling import Cancels
from weft.engine.children import Birth, Children
from weft.engine.claims import Claims
from weft.engine.context import Mask, Surroundings
from weft.engine.driven import Driven, see_through
from weft.engine.ending import RunResult
from weft.engine.family import Family
from weft.engine.fold import RunState, fold
from weft.engine.fresh import Fresh, beginning
from weft.engine.limits import given
from weft.engine.listeners import Listener, tell
from weft.engine.port import Performer, RunHalted
from weft.engine.programs.port import Programs
from weft.engine.programs.walker import program_walker
from weft.engine.proof import demand_plan
from weft.engine.questions import Answer
from weft.engine.recorder import Recorder
from weft.engine.runtime import EmbeddedRuntime
from weft.engine.shelf import Shelf
from weft.engine.slots import Slots
from weft.engine.waiting import NEAR_S, Waiting
from weft.plan.nodes import Plan
from weft.store.append import Also, Append, Draft, NewRun
from weft.store.journal import Journal
from weft.store.runs import Run
from weft.store.statuses import TERMINAL

__all__ = ["Engine", "RunResult"]

_LOG = logging.getLogger("weft.engine")
_BELL_S = 0.025
_BIG_JOURNAL = 500


class Engine:
    """Drives runs of one journal. `concurrency` bounds the calls that are performed at once in this process.

    `mask` takes secrets out of what is written of a step to be looked at; what a run computes with is never changed. A timer that
    is due within `near_s` seconds keeps a drive going; when everything in a run waits for something further off, the drive ends.
    `programs` are the functions that plans name.
    """

    def __init__(  # noqa: PLR0913 -- what an engine is made of
        self,
        journal: Journal,
        performers: Mapping[str, Performer],
        *,
        clock: Clock | None = None,
        concurrency: int = 64,
        listeners: tuple[Listener, ...] = (),
        new_id: Callable[[], str] = uuid7,
        mask: Mask = lambda _run, _path, value: value,
        near_s: float = NEAR_S,
        programs: Programs | None = None,
    ) -> None:
        self._journal = journal
        self._performers = performers
        self._clock = clock or SystemClock()
        self._listeners = listeners
        self._new_id = new_id
        self._surroundings = Surroundings(self._clock, Slots(concurrency), mask)
        self._near_s = near_s
        self._programs = programs
        self._answering = Answering(journal, self._clock)
        self._claims = Claims(journal, new_id)
        self._fresh: dict[str, Fresh] = {}
        self._active: dict[str, Driven] = {}
        self._family = Family(self, journal, self._drive_on, self._active, self._clock)
        self._cancels = Cancels(
            journal, self._clock, self._claims, self._family, self._active, self._drive, self._enter
        )
        self._watch: asyncio.Task[None] | None = None
        self._shelf = Shelf(journal)

    async def start(
        self,
        plan: Plan,
        scope: Mapping[str, Any],
        *,
        inputs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        queued: bool = False,
        birth: Birth | str | None = None,
        owner: Owner = LOCAL,
        also: tuple[Also, ...] = (),
    ) -> str:
        """Create a run of `plan`, durably, and return its id; `drive` makes it go.

        This engine holds the run from the beginning, unless it is to be `queued` for another one. `scope` is what its
        templates can read from the beginning, `inputs` what lists show, `options` what the caller wants to find again (such
        as where artifacts go), `birth` where a child run comes from, or just the id that the run is to have, `owner` whose it is,
        `also` what is written in the same transaction.

        Raises:
            ConflictError: there is a run of this id.
            InputError: a value in `scope`, `inputs` or `options` is not JSON, or all of them are too long.
            StorageError: the journal refused.
        """
        self._enter()
        parent = birth if isinstance(birth, Birth) else None
        run_id = parent.id if parent else str(birth or self._new_id())
        hash_, body = self._shelf.sealed(plan)
        owner = owner if owner.session else replace(owner, session=run_id)
        data = beginning(plan, hash_, scope, inputs, options) | {"owner": owner.as_json()}
        data |= {"parent": parent.as_json()} if parent else {}
        new = NewRun(
            id=run_id,
            workflow=plan.workflow,
            plan_hash=hash_,
            plan=body,
            inputs=given(dict(scope if inputs is None else inputs)).decode(),
            options=given(dict(options or {})).decode(),
            session=owner.session,
            tenant=owner.tenant,
            principal=owner.principal,
            driver=None if queued else self._claims.driver,
            parent=parent.parent if parent else None,
        )
        created = Draft(self._clock.micros(), "run.created", "", given(data))
        if queued:
            await self._journal.append(Append(run_id, 0, [created], create=new, also=also))
            self._journal.inbox.ring()
            return run_id
        started = Draft(created.at, "run.started", "", dumps({"epoch": 1, "resumed": False}))
        bell = self._journal.inbox.bell()
        try:
            begun = Append(run_id, 1, [created, started], {"status": "running"}, create=new, also=also)
            await self._journal.append(begun)
        except asyncio.CancelledError:
            self._claims.release(run_id, 1)
            raise
        state = fold(tell(self._listeners, run_id, created, started))
        self._fresh[run_id] = Fresh(new, created.at, plan, state, bell)
        return run_id

    def fresh(self, run_id: str) -> Run | None:
        """A run that was created here, as it was then, until it is driven; told without a look into the journal."""
        fresh = self._fresh.get(run_id)
        return None if fresh is None else fresh.run

    async def drive(self, run_id: str, *, reopen: bool = False) -> RunResult:
        """Make a run go until it ends or waits, from wherever its journal says it is.

        With `reopen`, a run that has failed or was cancelled is opened again first: what succeeded is kept, the rest starts anew.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it has ended, or another process drives it.
            MismatchError: its journal or its stored plan has been changed.
            StorageError: the journal refused; the run can be resumed later.
        """
        above = None if reopen or run_id in self._fresh else self._family.through(run_id)
        if above is not None and (told := await self._family.drive_through(above, run_id)) is not None:
            return told
        result = await self._drive_on(run_id, reopen=reopen)
        if result.status in TERMINAL:
            await self._family.wake_parent(run_id)
        return result

    async def decide(self, run_id: str, gate: str | None, answer: Answer) -> Decided:
        """Answer a gate of a run: the one with this id or path, or the only open one.

        The run goes on at once where it is driven; otherwise `drive` makes it go on. The same answer by the same person again
        is harmless.

        Raises:
            NotFoundError: there is no such gate.
            InputError: the answer is none of the choices, or its values do not fit the form.
            PolicyError: somebody else is asked.
            ConflictError: it was decided before, its deadline has passed, or the run needs no answer any more.
        """
        try:
            return await self._answering.decide(run_id, gate, answer)
        finally:
            # Also when other processes could not be told.
            self._ring(run_id)

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """Send a signal to a run, which keeps it until a wait of it takes it; False when its key is known already.

        Raises:
            NotFoundError: there is no such run.
            InputError: the data is not JSON, or too long.
            ConflictError: the run has ended.
        """
        try:
            return await self._answering.signal(run_id, signal)
        finally:
            self._ring(run_id)

    async def _drive_on(self, run_id: str, *, reopen: bool = False) -> RunResult:
        """Drive a run, and again as long as what it waits for has come: also a child, which its parent would not look at again."""
        result = await self._drive(run_id, reopen=reopen)
        while result.status == "waiting" and self._answering.answered(run_id, result.waits):
            # What came while the run was being let go of was left to us.
            try:
                result = await self._drive(run_id)
            except ConflictError:
                break
        return result

    async def _drive(self, run_id: str, *, reopen: bool = False) -> RunResult:
        self._enter()
        if run_id in self._active:
            raise ConflictError("this process is driving the run already", run=run_id)
        if fresh := self._fresh.pop(run_id, None):
            recorder = self._recorder(run_id, 1, fresh.state)
            return await self._walk(recorder, fresh.plan, look=self._journal.inbox.bell() != fresh.bell)
        epoch = await self._claims.claim(run_id, reopen=reopen)
        try:
            recorder, plan = await self._open(run_id, epoch)
            data = {"epoch": epoch, "resumed": recorder.state.started_at is not None}
            await recorder.record("run.started", "", data, {"status": "running"})
        except RunHalted as halt:
            self._claims.release(run_id, epoch)
            raise halt.error from None
        except BaseException:  # also of a stop: nobody drives it from here any more, and the exception goes on
            self._claims.release(run_id, epoch)
            raise
        return await self._walk(recorder, plan, look=True)

    async def settle(self, run_id: str, path: str, *, did: bool) -> None:
        """Say of a doubtful step whether its effect happened, so that the run can go on.

        Raises:
            InputError: no such step of this run is in doubt.
            ConflictError: a live process drives the run.
        """
        self._enter()
        ending.demand_doubt(fold(self._journal.events(run_id)), run_id, path)
        epoch = await self._claims.claim(run_id)
        draft = Draft(self._clock.micros(), "step.settled", path, dumps({"did": did}))
        try:
            await self._journal.append(Append(run_id, epoch, [draft]))
        finally:
            self._claims.release(run_id, epoch)

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """Cancel a run, whoever drives it; its driver is told through the inbox. False when it has ended otherwise.

        Of a run that another process drives, True says no more than that its driver will find the message, if it is not over before.
        """
        return await self._cancels.cancel(run_id, reason=reason)

    async def close(self) -> None:
        """Stop watching; runs that are still driven are left resumable."""
        watch = self._watch
        self.forsake()
        if watch is not None:
            await asyncio.gather(watch, return_exceptions=True)

    def forsake(self) -> None:
        """Let go of everything at once, as when the process dies: nothing is written, runs are left as they are."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._claims.leave()

    def _enter(self) -> None:
        self._claims.enter()
        if self._watch is None:
            self._watch = asyncio.ensure_future(self._watch_inbox())

    async def _open(self, run_id: str, epoch: int) -> tuple[Recorder, Plan]:
        """Load a claimed run: its state, and the plan that it pins."""
        run = self._journal.runs.get(run_id)
        if run.head_seq > _BIG_JOURNAL:
            events = await asyncio.to_thread(self._journal.proven_events, run_id)
        else:
            events = self._journal.proven_events(run_id)
        demand_plan(run, events[0])
        recorder = self._recorder(run_id, epoch, fold(events))
        if run.ended:
            await ending.reopened(recorder, at=self._clock.micros())
        try:
            return recorder, self._shelf.load(run.plan_hash)
        except MismatchError as error:
            await ending.stalled(recorder, error)
            raise

    def _recorder(self, run_id: str, epoch: int, state: RunState) -> Recorder:
        account = self._family.accounts.get(run_id)
        if state.parent is not None:
            self._family.parents[run_id] = state.parent
        return Recorder(self._journal, run_id, epoch, state, self._clock, self._listeners, account)

    async def _walk(self, recorder: Recorder, plan: Plan, *, look: bool) -> RunResult:
        """Walk the plan as a task of its own, which a cancel can reach; `look` into the inbox first when it may hold one."""
        run_id = recorder.run_id

        def leaving() -> bool:
            driven = self._active.get(run_id)
            return driven is None or driven.leaving

        def runtime() -> tuple[EmbeddedRuntime, Waiting]:
            waiting = Waiting(self._clock, near_s=self._near_s)
            children = Children(recorder, plan, self._family, self._shelf, waiting, leaving, self._surroundings)
            made = EmbeddedRuntime(recorder, plan, self._performers, self._surroundings, waiting, children)
            return made, waiting

        others = program_walker(self._programs, recorder.state.options, partial(self._surroundings.mask, run_id))
        driven = self._active[run_id] = Driven(recorder, plan, runtime, others)
        try:
            return await self._cancels.in_time(driven, await self._seen_through(driven, look=look))
        finally:
            driven.left.set()

    async def _seen_through(self, driven: Driven, *, look: bool) -> RunResult:
        """How a drive ends; it is active no more."""
        run_id, epoch = driven.recorder.run_id, driven.recorder.epoch
        try:
            first = partial(self._cancels.take, [run_id]) if look else None
            return await see_through(driven, self._surroundings.mask, first)
        except RunHalted as halt:
            self._claims.release(run_id, epoch)
            raise halt.error from None
        except BaseException:  # also of a stop: nobody drives it from here any more, and the exception goes on
            self._claims.release(run_id, epoch)
            raise
        finally:
            del self._active[run_id]
            driven.waiting.close()

    async def _watch_inbox(self) -> None:
        """Look into the inbox whenever somebody rings."""
        heard: object = None
        told = ""
        with suppress(Exception):  # then the first look is for all that there is
            heard = self._journal.inbox.bell()
        while True:
            await asyncio.sleep(_BELL_S)
            try:
                heard = await self._look(heard)
                told = ""
            except WeftError:
                pass  # a journal that refuses now is asked again at the next tick
            except Exception as error:  # noqa: BLE001 -- supervised: no run here would hear of anything any more
                if told != (told := described(error)):
                    _LOG.error("a defect while looking for messages to runs: %s", told, exc_info=error)

    async def _look(self, heard: object) -> object:
        """Look for messages if the bell no longer says what was `heard`; what it says."""
        self._claims.pay()
        now = self._journal.inbox.bell()
        if now != heard:
            try:
                await self._cancels.take(list(self._active))
            finally:
                for driven in self._active.values():
                    driven.waiting.ring()
        return now

    def _ring(self, run_id: str) -> None:
        """Have whoever waits in a run look again, if it is driven here."""
        if driven := self._active.get(run_id):
            driven.waiting.ring()
