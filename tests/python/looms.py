"""A world in which tests run workflow functions: files of their own, an in-memory journal, a scripted performer, virtual time."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.engine.world import World
from weft.app.programs import PythonWorkflows
from weft.engine.clock import ClockPerformer
from weft.engine.local import Engine
from weft.engine.replay import replay
from weft.plan.definitions import Overrides
from weft.python.naming import Named
from weft.python.programs import FunctionPerformer, RandomPerformer
from weft.testing.scripted import ScriptedPerformer
from weft.testing.simulation import SimulatedClock


class Loom(World):
    """`file` holds the workflow functions; every engine loads it anew, as a new process does."""

    def __init__(self, folder: Path, source: str, performer=None, **how) -> None:
        self.file = folder / "flow.py"
        self.write(source)
        super().__init__(performer or ScriptedPerformer(), **how)

    def write(self, source: str) -> None:
        self.file.write_text("import asyncio\nimport weft\n" + textwrap.dedent(source), encoding="utf-8")

    def new_engine(self, **settings) -> Engine:
        self.programs = PythonWorkflows()
        performers = {
            "tool": self.performer,
            "agent": self.performer,
            "clock": ClockPerformer(),
            "random": RandomPerformer(),
            "function": FunctionPerformer(),
        }
        settings = {
            "clock": SimulatedClock(),
            "new_id": self.entropy.new_id,
            "concurrency": self.concurrency,
            "near_s": self.near_s,
            "programs": self.programs,
        } | settings
        return Engine(self.journal, performers, **settings)

    def plan(self, name: str = "flow"):
        return self.programs.plan(Named(self.file, name), Overrides())

    async def start(self, name: str = "flow", **inputs) -> str:
        return await self.engine.start(self.plan(name), inputs, options={"file": f"{self.file}:{name}"})

    async def call(self, name: str = "flow", **inputs):
        """Run a workflow function to its end or until it waits."""
        return await self.engine.drive(await self.start(name, **inputs))

    def asked(self, run_id: str) -> list[str]:
        """The paths that the function asked for, in order."""
        return [event.path for event in self.journal.events(run_id) if event.kind == "step.asked"]

    def replayed(self, run_id: str):
        """What a replay on a loop of its own finds."""
        plan = self.engine._shelf.load(self.journal.runs.get(run_id).plan_hash)
        return replay(run_id, plan, self.journal.events(run_id), PythonWorkflows())


@dataclass
class Reading(ScriptedPerformer):
    """Answers each call with what it was given."""

    classes: dict[str, str] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.act = lambda call, scope, context: {"response": f"{call.target}({_text(scope)})"}


def _text(scope) -> str:
    values = scope.get("given") or {name: value for name, value in scope.items() if name != "message"}
    return ", ".join(str(value) for value in values.values())
