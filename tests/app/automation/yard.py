"""A yard in which automations are tested: virtual time, a journal in memory, real engines and workers over it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import event

from tests.engine.world import Doing, call, chain
from weft.app.automation.desk import Desk, NewAutomation
from weft.app.automation.worker import Worker
from weft.engine.local import Engine
from weft.engine.port import Done
from weft.plan.nodes import Gate, Plan, Wait
from weft.store.journal import Journal
from weft.testing.simulation import EPOCH, SeededEntropy, SimulatedClock

FLOW = """\
version: 1
name: {name}
runtime: {{provider: offline, model_id: extract}}
agents: {{nobody: {{prompt: unused}}}}
pattern: {{type: chain, config: {{steps: [{{agent: nobody, input: nothing}}]}}}}
"""
SECOND = 1_000_000

PLANS = {
    "nap": chain(call("nap")),
    "fail": chain(call("fail")),
    "timer": chain(Wait(name="wait", seconds="3600"), call("nap")),
    "endless": chain(Gate(name="ok", prompt="Go on?")),
    "gate": chain(Gate(name="ok", prompt="Go on?", deadline_s=600, default="yes")),
}


class Hands:
    """Starts and drives runs as the service does, with plans that nap in virtual time."""

    def __init__(self, yard: Yard) -> None:
        self.engine = Engine(
            yard.journal,
            {"tool": Doing(yard.nap)},
            clock=SimulatedClock(),
            new_id=yard.entropy.new_id,
            near_s=5,
        )

    async def start(self, request) -> str:
        kind = request.variables.get("plan", "nap")
        return await self.engine.start(
            Plan(workflow=request.file.stem, root=PLANS[kind]),
            dict(request.variables),
            options={"trigger_depth": request.automatic.depth},
            queued=True,
            birth=request.automatic.run_id,
        )

    async def drive(self, run_id: str):
        return await self.engine.drive(run_id)

    async def give_way(self, run_id: str, automation: str, by) -> bool:
        return await self.engine.cancel(run_id, reason=f"{by.principal} {automation}")


class Yard:
    """Everything that the workers of one test share. `said` is what they reported, with the second at which they did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entropy = SeededEntropy(0)
        self.journal = Journal(":memory:", entropy=self.entropy, inline=True)
        self.clock = SimulatedClock()
        self.desk = Desk(self.journal, self.clock)
        self.said: list[tuple[float, str, dict]] = []
        self.queries = 0
        self.began: list[tuple[float, str]] = []
        self._tasks: list[asyncio.Task[None]] = []
        event.listen(self.journal.runs._engine, "before_cursor_execute", self._count)

    def worker(self, **how) -> Worker:
        """A worker with an engine of its own, not working yet."""
        return Worker(self.journal, Hands(self), self.clock, report=self._hear, **how)

    def work(self, worker: Worker | None = None, **how) -> Worker:
        """Let a worker work, beside the test."""
        worker = worker or self.worker()
        self._tasks.append(asyncio.ensure_future(worker.run(**how)))
        return worker

    async def add(self, rule, name: str = "flow", *, file: str = "flow", **variables: str):
        path = self.folder / f"{file}.yaml"
        path.write_text(FLOW.format(name=file))
        return await self.desk.add(NewAutomation(rule=rule, file=path, name=name, variables=variables))

    async def until(self, second: float) -> None:
        """Let time pass until this second of the simulated world."""
        await asyncio.sleep(second - self.now)

    @property
    def now(self) -> float:
        return (self.clock.micros() - EPOCH) / SECOND

    def firings(self, name: str = "flow") -> list[tuple[float, str]]:
        """What became of the occasions of an automation, in order of their times."""
        found = self.journal.automations.firings(name, limit=100_000)
        return [((one.nominal - EPOCH) / SECOND, one.status) for one in reversed(found)]

    def runs(self, workflow: str | None = None) -> list[tuple[float, str]]:
        """When runs were created, and their status, oldest first."""
        found = self.journal.runs.list(workflow=workflow, limit=100_000)
        return [((run.created_at - EPOCH) / SECOND, run.status) for run in reversed(found)]

    async def nap(self, call, scope, context) -> Done:
        self.began.append((self.now, context.path))
        if call.target == "fail":
            raise RuntimeError("no luck")
        await asyncio.sleep(float(scope.get("nap", 0)))
        return Done({"response": "slept"})

    def _hear(self, what: str, about) -> None:
        self.said.append((self.now, what, dict(about)))

    def _count(self, *_) -> None:
        self.queries += 1
