"""What agent tests share: the real engine, the real model client, and a fake provider on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from weft.agents.builder import AgentBuilder
from weft.agents.performer import AgentPerformer
from weft.agents.planning.performer import PlannerPerformer
from weft.core.clock import SystemClock
from weft.core.event import Event
from weft.engine.local import Engine, RunResult
from weft.models.registry import ModelPool
from weft.plan.nodes import Block, Call, Graph, Node, Plan, Retry, Sequence
from weft.secrets.resolve import Secrets
from weft.store.journal import Journal
from weft.store.planned import PlannedDrafts
from weft.testing.providers import FakeProvider
from weft.tools.port import Tool, ToolContext

QUICK = Retry(attempts=3, backoff="constant", wait_min=0.01, wait_max=0.01)


def ask(name: str, prompt: str, *, agent: str = "a", conversation: str | None = "a", **more: Any) -> Call:
    return Call(name=name, performer="agent", target=agent, input={"prompt": prompt, **more}, conversation=conversation)


def plan_of(*children: Node, root: Node | None = None, **definition: Any) -> Plan:
    body = root or Sequence(name="", into="steps", children=children)
    agent = {"prompt": "You help.", "model": "openai/gpt-4o-mini", "tools": [], **definition}
    return Plan(
        workflow="test",
        root=Block(name="", body=body, retry=QUICK),
        definitions={"name": "test", "agents": {"a": agent, "b": {**agent, "prompt": "You are b."}}},
    )


class Deltas:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def event(self, event: Event) -> None:
        pass

    def delta(self, run_id: str, path: str, attempt: int, delta: Mapping[str, Any]) -> None:
        self.texts.append(delta["text"])


class Studio:
    def __init__(self, fake: FakeProvider, tools: Mapping[str, Tool], folder: Path, *, streaming: bool) -> None:
        self.journal = Journal(folder / "journal.db")
        self.pool = ModelPool(environ=fake.environ)
        self.fake, self.tools, self.folder, self.streaming = fake, tools, folder, streaming
        self.deltas = Deltas()
        self.engine = self.new_engine()

    def new_engine(self) -> Engine:
        def context(step: Any) -> ToolContext:
            return ToolContext(
                key=step.key,
                workdir=self.folder,
                clock=SystemClock(),
                http=None,
                secrets=Secrets(),  # type: ignore[arg-type]
            )

        builder = AgentBuilder(self.pool.open, context)
        performer = AgentPerformer(builder, lambda _: self.tools, streaming=self.streaming)
        planner = PlannerPerformer(self.journal, PlannedDrafts(self.folder / "plans"))
        return Engine(self.journal, {"agent": performer, "planner": planner}, listeners=(self.deltas,))

    async def run(self, plan: Plan) -> RunResult:
        return await self.engine.drive(await self.engine.start(plan, {}))

    def kinds(self, run_id: str) -> list[tuple[str, str]]:
        return [(event.kind, event.path) for event in self.journal.events(run_id)]


@asynccontextmanager
async def studio(
    script: Any, folder: Path, *, tools: Mapping[str, Tool] | None = None, streaming: bool = False, kind: Any = "openai"
) -> AsyncIterator[Studio]:
    with FakeProvider(kind, script) as fake:
        made = Studio(fake, tools or {}, folder, streaming=streaming)
        try:
            yield made
        finally:
            await made.engine.close()
            await made.pool.aclose()
            made.journal.close()


__all__ = ["Graph", "ask", "plan_of", "studio"]
