"""Runs whose answers, effects, children, refusals, stops and cancels come in any order: what holds of all of them."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from threading import Thread

import pytest

from tests.engine.world import Doing, World, call, chain, fan, simulated
from weft.core.errors import ConflictError, StorageError, TransientError
from weft.core.usage import Usage
from weft.engine.fold import fold
from weft.engine.port import Done
from weft.engine.proof import proof
from weft.engine.replay import replay
from weft.engine.shelf import Shelf
from weft.plan.nodes import Child, Plan, Retry
from weft.store.writer import Commit

STEPS = ("model", "model", "model", "idempotent", "reconcile", "once", "sleep", "sleep", "note", "fail")
PAUSES = (0, 0, 0.01, 0.06, 0.2)


class Late:
    """A writer that commits later, in order and in batches, and refuses `share` of the appends."""

    def __init__(self, journal, chance, share):
        self.inner, self.chance, self.share = journal.writer, chance, share
        self.left = []
        self.writing = None
        journal.writer = self

    def submit(self, work):
        told = Commit(loop=asyncio.get_running_loop())
        self.left.append((work, told))
        if self.writing is None or self.writing.done():
            self.writing = asyncio.ensure_future(self._write())
        return told

    async def _write(self):
        while self.left:
            await asyncio.sleep(self.chance.choice((0, 0.001, 0.02, 0.08)))
            for _ in range(self.chance.randint(1, len(self.left))):
                work, told = self.left.pop(0)
                if getattr(work, "drafts", None) and self.chance.random() < self.share:
                    told.set_exception(StorageError("the disk is full"))
                else:
                    done = self.inner.submit(work)
                    error = done.exception()
                    told.set_exception(error) if error else told.set_result(done.result())
                told.exception()  # read: not everything that is submitted is waited for

    def __getattr__(self, name):
        return getattr(self.inner, name)


class History:
    """One world with a plan drawn from a seed. `early` says what began before an answer that it could go on from was durable."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.children = {}
        self.names = iter(range(10_000))
        self.early = []
        self.answered, self.acted = set(), Counter()
        performer = Doing(self.perform)
        performer.derived = True
        self.world = World(performer, seed=seed)
        root = chain(*(self.node(3) for _ in range(3)))
        self.plan = Plan(workflow="test", root=root, children=self.children)

    def node(self, depth):
        kind = self.chance.random()
        name = f"n{next(self.names)}"
        if depth == 0 or kind < 0.35:
            do = [(self.chance.choice(STEPS), self.chance.choice(PAUSES)) for _ in range(self.chance.randint(1, 5))]
            return call(name, input={"do": do}, retry=Retry(attempts=3))
        if kind < 0.6:
            return chain(*(self.node(depth - 1) for _ in range(self.chance.randint(1, 3))), name=name)
        if kind < 0.85 or depth < 3:
            return fan(*(self.node(depth - 1) for _ in range(self.chance.randint(2, 3))), name=name)
        self.children[name] = Plan(workflow=name, root=chain(self.node(depth - 1)))
        return Child(name=name, plan=name)

    async def perform(self, step_call, scope, context):
        for number, (kind, pause) in enumerate(step_call.input["do"]):
            if kind == "sleep":
                await context.clock.sleep(pause)
            elif kind == "note":
                context.note("step.input", {"n": number})
            elif kind == "fail" and context.attempt < 2:
                raise TransientError("try again")
            elif kind != "fail":
                await self.step(context, number, kind, pause)
        return Done("ok")

    async def step(self, context, number, kind, pause):
        state = self.world.engine._active[context.run_id].recorder.state
        known = {path for run, path in self.answered if run == context.run_id and path in state.outcomes}

        async def body(step):
            there = {event.path for event in self.world.journal.events(step.run_id) if event.kind == "step.completed"}
            if not known <= there:
                self.early.append((step.path, known - there))
            await step.clock.sleep(pause)
            if kind == "model":
                self.answered.add((step.run_id, step.path))
                return Done("yes", Usage(input_tokens=1, requests=1))
            self.acted[step.run_id, step.path] += 1
            return Done("done")

        async def check(step):
            return Done("done") if self.acted[step.run_id, step.path] else None

        effect = "idempotent" if kind == "model" else kind
        await context.step(f"s[{number}]", body, type=kind, effect=effect, spends=kind == "model", check=check)

    async def settle(self, run_id):
        """Say truly of every step that is in doubt whether it was done, of the children's too."""
        for path in self.world.state(run_id).doubts():
            await self.world.engine.settle(run_id, path, did=self.acted[run_id, path] > 0)
        for wait in self.world.journal.runs.get(run_id).waits:
            if wait["kind"] == "child":
                await self.settle(wait["run"])

    async def live(self):
        """Drive the run, stopped and cancelled as it comes, until it has ended; the ids of it and its children."""
        run_id = await self.world.engine.start(self.plan, {})
        Late(self.world.journal, self.chance, self.chance.choice((0, 0.05, 0.2)))
        how = self.chance.choice(("alone", "stop", "stop", "cancel"))
        for tries in range(60):
            drive = asyncio.ensure_future(self.world.engine.drive(run_id))
            # What a journal refused, letting go of the run included, is done a moment later.
            with suppress(StorageError, ConflictError, asyncio.CancelledError):
                if how != "alone" and tries < 5:
                    await asyncio.sleep(self.chance.choice(PAUSES))
                    if how == "stop":
                        drive.cancel()
                    elif tries == 0:
                        await self.world.engine.cancel(run_id, reason="test")
                await drive
            await asyncio.gather(drive, return_exceptions=True)
            for known in {run_id, *(run for run, _ in self.answered), *(run for run, _ in self.acted)}:
                assert proof(self.world.journal, known).row == ()
            if self.world.journal.runs.get(run_id).ended:
                break
            with suppress(StorageError, ConflictError):
                await self.settle(run_id)
            await asyncio.sleep(0.2)
        await asyncio.sleep(1)
        self.world.journal.writer = self.world.journal.writer.inner
        return {run_id, *(run for run, _ in self.answered), *(run for run, _ in self.acted)}


def replayed(run_id, plan, events):
    """What a replay finds; it runs on an event loop of its own."""
    found = []
    thread = Thread(target=lambda: found.append(replay(run_id, plan, events).difference))
    thread.start()
    thread.join()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
@simulated
async def test_nothing_begins_too_early_nothing_is_counted_twice_and_every_history_can_be_replayed(seed):
    history = History(seed)
    journal = history.world.journal
    runs = await history.live()
    assert history.early == []
    for run_id in runs:
        run, events = journal.runs.get(run_id), journal.events(run_id)
        assert run.ended
        assert run.usage == fold(events).total()
        assert proof(journal, run_id).intact
        assert replayed(run_id, Shelf(journal).load(run.plan_hash), events) == [None]
        once = [path for path in history.acted if path[0] == run_id and "once" in _effects(events, path[1])]
        assert all(history.acted[path] <= 1 for path in once if run.status == "completed")
    await history.world.close()


def _effects(events, path):
    return {event.data["effect"] for event in events if event.kind == "step.started" and event.path == path}
