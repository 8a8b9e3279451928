"""A small world in which engine tests run plans: an in-memory journal, a scripted performer, virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from weft.engine.fold import RunState, fold
from weft.engine.local import Engine, RunResult
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call, Graph, Node, Plan, Sequence
from weft.store.journal import Journal
from weft.store.writer import Commit
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.scripted import ScriptedPerformer
from weft.testing.simulation import SeededEntropy, SimulatedClock, simulate


def simulated(test):
    """Run an async test in virtual time."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        return simulate(lambda: test(*args, **kwargs))

    return run


@dataclass
class Doing:
    """A performer that does what a function says."""

    do: Callable[[Call, dict, StepContext], Awaitable[Done]]
    ask: Callable[[Call, dict, StepContext], Awaitable[Done | None]] | None = None

    async def perform(self, call, scope, context):
        return await self.do(call, scope, context)

    async def check(self, call, scope, context):
        return await self.ask(call, scope, context) if self.ask else None


class World:
    def __init__(
        self, performer=None, *, seed: int = 0, path=":memory:", concurrency: int = 8, near_s: float = 10_000
    ) -> None:
        self.entropy = SeededEntropy(seed)
        self.concurrency = concurrency
        self.near_s = near_s
        self.journal = Journal(path, entropy=self.entropy, inline=True)
        self.performer = performer or ScriptedPerformer()
        self.engine = self.new_engine()

    def new_engine(self, **settings) -> Engine:
        settings = {
            "clock": SimulatedClock(),
            "new_id": self.entropy.new_id,
            "concurrency": self.concurrency,
            "near_s": self.near_s,
        } | settings
        return Engine(self.journal, {"tool": self.performer}, **settings)

    async def run(self, plan: Plan | Node, scope: dict | None = None) -> RunResult:
        run_id = await self.engine.start(as_plan(plan), scope or {})
        return await self.engine.drive(run_id)

    async def resume(self, run_id: str, **how) -> RunResult:
        """Another process takes the run up."""
        self.engine = self.new_engine()
        return await self.engine.drive(run_id, **how)

    async def die_after(self, kind: str, path: str, plan: Plan | Node, scope: dict | None = None) -> str:
        """Run until just after the named event is durable, then die; returns the run's id."""
        run_id = await self.engine.start(as_plan(plan), scope or {})
        self.journal.writer = writer = DyingWriter(self.journal, kind, path)
        await self._until_dead(run_id, writer)
        return run_id

    async def die_in_effect(self, plan: Plan | Node, scope: dict | None = None) -> str:
        """Run until the performer raises `Crash`, then die."""
        run_id = await self.engine.start(as_plan(plan), scope or {})
        self.journal.writer = writer = DyingWriter(self.journal, "", "nowhere")
        await self._until_dead(run_id, writer)
        return run_id

    async def _until_dead(self, run_id: str, writer: DyingWriter) -> None:
        try:
            await self.engine.drive(run_id)
        except Crash:
            writer.fired = True
            bury(self.engine, self.journal)
        else:
            raise AssertionError("the run ended before it could die")

    def kinds(self, run_id: str, path: str | None = None) -> list[str]:
        return [event.kind for event in self.journal.events(run_id) if path is None or event.path == path]

    def state(self, run_id: str) -> RunState:
        return fold(self.journal.events(run_id))

    def data(self, run_id: str, kind: str, path: str | None = None) -> list[dict]:
        events = self.journal.events(run_id)
        return [event.data for event in events if event.kind == kind and path in (None, event.path)]

    async def close(self) -> None:
        await self.engine.close()
        self.journal.close()


class DyingWriter(CrashingWriter):
    """Dies just after an event of this kind at this path is durable."""

    def __init__(self, journal: Journal, kind: str, path: str) -> None:
        super().__init__(journal, at=0, when="after")
        self._named = (kind, path)

    def _maybe_die(self, work, *, before: bool) -> None:
        if self.fired:
            raise Crash
        drafts = getattr(work, "drafts", ())
        if not before and any((draft.kind, draft.path) == self._named for draft in drafts):
            self.fired = True
            raise Crash


class LateWriter(CrashingWriter):
    """Writes at once and says so later: there is time for a cancel in between."""

    late_s = 0.05

    def submit(self, work):
        done = super().submit(work)
        late = Commit(loop=asyncio.get_running_loop())

        def tell() -> None:
            if error := done.exception():
                late.set_exception(error)
            else:
                late.set_result(done.result())

        asyncio.get_running_loop().call_later(self.late_s, tell)
        return late


def as_plan(node: Plan | Node) -> Plan:
    return node if isinstance(node, Plan) else Plan(workflow="test", root=node)


def call(name: str, **how) -> Call:
    return Call(name=name, performer="tool", target=how.pop("target", name), **how)


def chain(*children: Node, name: str = "", **how) -> Sequence:
    return Sequence(name=name, children=children, **how)


def fan(*children: Node, name: str = "", **how) -> Graph:
    return Graph(name=name, children=children, **how)


async def soon(seconds: float = 0.01) -> None:
    await asyncio.sleep(seconds)


__all__ = ["Doing", "DyingWriter", "LateWriter", "World", "as_plan", "call", "chain", "fan", "simulated", "soon"]
