"""Child runs: steps that are runs of their own, with a journal, a plan and a budget of their own.

The id of a child follows from its parent and path, so asking for it again finds the one that there is. A step that waits for its
child holds none of the process's slots, so parents that fill all of them cannot keep their children from going on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from weft.core.canonical import dumps, loads
from weft.core.errors import (
    ConflictError,
    InputError,
    LimitError,
    MismatchError,
    NotFoundError,
    Place,
    StorageError,
    WeftError,
    from_json,
)
from weft.core.usage import Usage
from weft.engine.context import Surroundings
from weft.engine.ending import RunResult
from weft.engine.fold import RunState, fold
from weft.engine.halting import halting
from weft.engine.patience import inside, only_people
from weft.engine.port import Outcome, RunHalted, Settings, Suspended
from weft.engine.recorder import Recorder
from weft.engine.shelf import Shelf
from weft.engine.waiting import Waiting
from weft.plan.nodes import Block, Child, Plan
from weft.store.journal import Journal
from weft.store.runs import Run

MAX_DEPTH = 16
"""A run so deep below others starts no more children."""
_LONG = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """Where a child run comes from."""

    id: str
    parent: str
    path: str
    depth: int
    on_cancel: str

    def as_json(self) -> dict[str, Any]:
        """What the child's `run.created` says of it."""
        return {"run": self.parent, "path": self.path, "depth": self.depth, "on_cancel": self.on_cancel}


@dataclass(frozen=True, slots=True)
class Account:
    """Where a child's spending counts as well: at a step of its parent, and from there upwards."""

    recorder: Recorder
    path: str
    settings: Settings

    def admit(self) -> None:
        """Refuse a request when a budget around the child is used up.

        Raises:
            BudgetError: one is.
        """
        self.recorder.admit(self.path, self.settings, call=False, spends=True)

    def spent(self, total: Usage) -> None:
        """The child has consumed `total` so far."""
        self.recorder.child_spent(self.path, total)


class Household(Protocol):
    """What the engine does for children."""

    async def bear(self, plan: Plan, inputs: Mapping[str, Any], options: Mapping[str, Any], birth: Birth) -> None:
        """Create a child run, whose templates see what those of any run see."""
        ...

    async def drive_child(self, run_id: str, *, reopen: bool, account: Account) -> RunResult:
        """Make a child go until it ends or waits."""
        ...

    async def stop_child(self, run_id: str, reason: str) -> None:
        """Cancel a child, whoever drives it."""
        ...

    def let_go_on(self, drive: asyncio.Task[RunResult]) -> None:
        """A child goes on by itself: its parent waits for it no more."""
        ...


class Children:
    """The children of one run that is driven here. `leaving` says whether its process lets go of the run at this moment."""

    def __init__(
        self,
        recorder: Recorder,
        plan: Plan,
        household: Household,
        shelf: Shelf,
        waiting: Waiting,
        leaving: Callable[[], bool],
        surroundings: Surroundings,
    ) -> None:
        self._recorder = recorder
        self._plan = plan
        self._household = household
        self._shelf = shelf
        self._waiting = waiting
        self.leaving = leaving
        self._clock = surroundings.clock
        self._mask = surroundings.mask
        self.go_on: Callable[[], None] = lambda: None
        """Lets the end of a child be recorded, unless nothing is to happen any more; the runtime says when."""

    async def run(self, path: str, node: Child, planned: Any, inputs: Mapping[str, Any], settings: Settings) -> Outcome:
        """See `Runtime.child`."""
        state = self._recorder.state
        known = state.outcomes.get(path)
        if known is not None:
            return known
        with halting():
            return await self._run(path, node, planned, inputs, settings)

    async def stop_inside(self, path: str, reason: str) -> None:
        """Cancel the children that have begun inside `path` and not ended, those excepted that are to go on by themselves."""
        begun = [at for at, step in self._recorder.state.open.items() if step.type == "child" and inside(at, path)]
        journal = self._recorder.journal
        with halting():
            for at in begun:
                run = _find(journal, child_id(self._recorder.run_id, at))
                if run is not None and not run.ended and on_cancel(journal, run.id) == "cancel":
                    await self._household.stop_child(run.id, reason)

    async def _run(
        self, path: str, node: Child, planned: Any, inputs: Mapping[str, Any], settings: Settings
    ) -> Outcome:
        state = self._recorder.state
        run_id = child_id(self._recorder.run_id, path)
        account = Account(self._recorder, path, settings)
        begun = path in state.open
        try:
            if state.depth >= MAX_DEPTH:
                raise LimitError(
                    f"there are {MAX_DEPTH} runs above each other already",
                    fix="find out why the workflow calls itself, or make the plan flatter",
                    place=Place(path=path),
                )
            account.admit()
            plan = self._plan_of(node, planned, path)
        except StorageError:
            raise
        except WeftError as error:
            return await self._end(path, None, error, Usage())
        if not begun:
            await self._announce(path, run_id, plan, inputs)
        if _find(self._recorder.journal, run_id) is None:
            birth = Birth(
                id=run_id,
                parent=self._recorder.run_id,
                path=path,
                depth=state.depth + 1,
                on_cancel=node.on_cancel,
            )
            try:
                await self._household.bear(plan, inputs, state.options, birth)
            except InputError as error:
                return await self._end(path, run_id, error, Usage())
        return await self._see_through(path, node, run_id, account, reopen=not begun)

    async def _see_through(self, path: str, node: Child, run_id: str, account: Account, *, reopen: bool) -> Outcome:
        """Drive the child whenever it can go on, and wait while it waits."""
        first = True
        while True:
            run = self._recorder.journal.runs.get(run_id)
            again = reopen and run.status in {"failed", "cancelled"}
            if run.ended and not again:
                return await self._take(path, run)
            due = run.due is not None and run.due <= self._clock.micros()
            if first or (not run.driven and (due or run.status in {"queued", "running"})):
                # A child that was just created here is held here already; if somebody else drives it, we are refused.
                first = reopen = False
                await self._drive(node, run_id, account, reopen=again)
                continue
            try:
                woken = await self._waiting.wait(due=run.due, timer=_on_time(run))
            except asyncio.CancelledError:
                if not self.leaving() and node.on_cancel == "cancel":
                    await self._household.stop_child(run_id, "the run above it went on without it")
                raise
            if woken == "over":
                return Suspended((self._wait(path, self._recorder.journal.runs.get(run_id)),))

    def _wait(self, path: str, run: Run) -> dict[str, Any]:
        """What the run's row and `run.waiting` say of a child."""
        wait = {"kind": "child", "path": path, "run": run.id, "due": run.due, "wake": run.due}
        wait["timer"] = _on_time(run) or None
        wait["text"] = f"the run {run.id}, which is {run.status}: `weft why {run.id}` says for what"
        # While it is driven, its row still says what it waited for before.
        wait["people"] = (run.status == "waiting" and only_people(run.waits, "")) or None
        return {name: value for name, value in wait.items() if value is not None}

    async def _drive(self, node: Child, run_id: str, account: Account, *, reopen: bool) -> None:
        """Have the child driven, as a task of its own that may outlive the wait for it."""
        drive = asyncio.ensure_future(self._household.drive_child(run_id, reopen=reopen, account=account))
        try:
            with self._waiting.working():
                await asyncio.shield(drive)
        except ConflictError:
            # Somebody else drives it, or it has just ended: its row says which.
            return
        except MismatchError:
            # It is stalled, and waits for a person.
            return
        except WeftError as error:
            raise RunHalted(error) from error
        except asyncio.CancelledError:
            if drive.done():
                raise
            if self.leaving():
                drive.cancel()
            elif node.on_cancel == "cancel":
                await self._household.stop_child(run_id, "the run above it was cancelled, or went on without it")
            else:
                self._household.let_go_on(drive)
                raise
            await asyncio.gather(drive, return_exceptions=True)
            raise

    async def _take(self, path: str, run: Run) -> Outcome:
        """What the end of a child means for its parent."""
        state = await folded(self._recorder.journal, run)
        used = state.total()
        if run.status == "completed":
            outputs = state.outputs if isinstance(state.outputs, dict) else {"value": state.outputs}
            return await self._end(path, run.id, {**outputs, "run": run.id}, used)
        if run.status == "failed" and state.error is not None:
            error = from_json(state.error)
            step = error.place.path
            error.place = replace(error.place, path=path)
            error.ids |= {"run": run.id} | ({"step": step} if step else {})
            return await self._end(path, run.id, error, used)
        stopped = ConflictError(
            f"its run {run.id} was cancelled", fix="resume this run to try again", place=Place(path=path), run=run.id
        )
        return await self._end(path, run.id, stopped, used)

    async def _announce(self, path: str, run_id: str, plan: Plan, inputs: Mapping[str, Any]) -> None:
        data = {
            "type": "child",
            "effect": "idempotent",
            "attempt": 1,
            "target": plan.workflow,
            "input": self._mask(self._recorder.run_id, path, dict(inputs)),
            "run": run_id,
        }
        await self._recorder.record("step.started", path, data)

    async def _end(self, path: str, run_id: str | None, end: Any, used: Usage) -> Outcome:
        """Record how the step ended; `end` is its value or an error."""
        self.go_on()
        failed = isinstance(end, WeftError)
        data: dict[str, Any] = {"error": end.as_json(), "attempts": 1} if failed else {"value": end}
        data |= {"type": "child", "run": run_id} | ({"usage": used.as_json()} if used != Usage() else {})
        payload = dumps(data)
        data = loads(payload)
        kind = "step.failed" if failed else "step.completed"
        with self._waiting.working():
            await self._recorder.record_outcome(kind, path, payload, data, used if used != Usage() else None)
        return self._recorder.state.outcomes[path]

    def _plan_of(self, node: Child, planned: Any, path: str) -> Plan:
        """The plan that the child runs, under its own budget."""
        if node.planned is not None:
            if not isinstance(planned, str):
                raise InputError(
                    f"{node.planned!r} is not the hash of a plan",
                    fix="give what the step that made the plan says",
                    place=Place(path=path),
                )
            plan = self._shelf.load(planned)
        else:
            found = self._plan.children.get(node.plan or "")
            if found is None:
                raise NotFoundError(f"the plan has no child plan {node.plan!r}", place=Place(path=path))
            plan = found
        if node.budget is None:
            return plan
        return replace(plan, root=Block(name="", body=plan.root, budget=node.budget))


def child_id(run_id: str, path: str) -> str:
    """The id of the child that a run starts at a path: a UUID of version 8."""
    text = hashlib.sha256(f"child\n{run_id}\n{path}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:32]}"


def _on_time(run: Run) -> bool:
    """Whether what is due in a waiting run is a timer of it or below it, and not the deadline of a question."""
    due = [wait for wait in run.waits if wait.get("wake") is not None and wait["wake"] == run.due]
    return any(wait.get("kind") != "gate" and (wait.get("kind") != "child" or wait.get("timer")) for wait in due)


def _find(journal: Journal, run_id: str) -> Run | None:
    try:
        return journal.runs.get(run_id)
    except NotFoundError:
        return None


def on_cancel(journal: Journal, run_id: str) -> str:
    """What is to become of a child run when what it is part of is stopped, as its own journal says."""
    birth = journal.events(run_id, limit=1)[0].data.get("parent") or {}
    return str(birth.get("on_cancel"))


async def folded(journal: Journal, run: Run) -> RunState:
    """The state of a run that nobody drives here, off the event loop when there is much to read."""

    def read() -> RunState:
        return fold(journal.events(run.id))

    return await asyncio.to_thread(read) if run.head_seq > _LONG else read()
