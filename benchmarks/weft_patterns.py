"""Weft's side of patterns: the files that a user writes, over a model that answers at once, with full durability."""

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from report import paced, publish
from weft.agents.builder import AgentBuilder
from weft.agents.performer import AgentPerformer
from weft.app.memory import settle
from weft.core.clock import SystemClock
from weft.engine.local import Engine
from weft.plan.compile import compile_workflow
from weft.plan.scope import initial_scope
from weft.secrets.resolve import Secrets
from weft.spec.load import load_text
from weft.store.journal import Journal
from weft.tools.port import ToolContext

GRAPH = """
version: 1
name: loop
runtime: {provider: offline}
agents: {worker: {prompt: You work.}}
pattern:
  type: graph
  config:
    nodes:
      plan: {agent: worker, input: Plan it.}
      facts: {agent: worker, input: "Facts for: {{ nodes.plan.response }}"}
      style: {agent: worker, input: "Style for: {{ nodes.plan.response }}"}
      write: {agent: worker, input: "Write: {{ nodes.facts.response }} {{ nodes.style.response }}"}
      review: {agent: worker, input: "Review: {{ nodes.write.response }}"}
      publish: {agent: worker, input: "Publish: {{ nodes.write.response }}"}
    edges:
      - {from: plan, to: [facts, style]}
      - {from: facts, to: [write]}
      - {from: style, to: [write]}
      - {from: write, to: [review]}
      - {from: review, choose: [{when: "nodes.review.iteration < 3", to: write}, {when: else, to: publish}]}
"""
SUPERVISOR = """
version: 1
name: survey
runtime: {provider: offline}
agents: {lead: {prompt: You split.}, worker: {prompt: You work.}, editor: {prompt: You work.}}
pattern:
  type: orchestrator_workers
  config:
    orchestrator: {agent: lead, input: Survey it., limits: {max_workers: 5, max_rounds: 1}}
    worker_template: {agent: worker, tools: []}
    writeup: {agent: editor, input: "{% for w in workers %}{{ w.response }} {% endfor %}"}
"""
SUBTASKS = '[{"task": "one"}, {"task": "two"}, {"task": "three"}, {"task": "four"}, {"task": "five"}]'
CALLS = {"graph": 10, "supervisor": 7}


class Model:
    """Answers at once, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def answer(self, messages, info) -> ModelResponse:
        self.calls += 1
        return ModelResponse(parts=[TextPart(SUBTASKS if "You split." in str(messages) else "done")])


async def pattern(case: str) -> dict:
    asked = Model()
    model, clock, secrets = FunctionModel(asked.answer), SystemClock(), Secrets()

    def context(step):
        return ToolContext(key=step.key, workdir=Path(), clock=clock, http=None, secrets=secrets)

    performer = AgentPerformer(AgentBuilder(lambda _: model, context), lambda _: {})
    plan = compile_workflow(load_text(GRAPH if case == "graph" else SUPERVISOR, "flow.yaml"))
    scope = initial_scope(plan, {}, session_id="", started_at="2026-01-01T00:00:00.000Z")
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        engine = Engine(journal, {"agent": performer})
        settle()  # as the command line does

        async def one(_) -> None:
            result = await engine.drive(await engine.start(plan, scope))
            assert result.status == "completed", result.error

        await one(None)
        assert asked.calls == CALLS[case], f"{asked.calls} requests"
        metrics = await paced(one)
        await engine.close()
        journal.close()
    return metrics


if __name__ == "__main__":
    publish("weft", "0.1.0", {case: lambda case=case: asyncio.run(pattern(case)) for case in CALLS})
