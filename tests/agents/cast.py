"""What pattern tests share: workflow text compiled and run by the real engine, and agents whose lines are scripted by name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.agents.studio import Studio, studio
from weft.core.event import Event
from weft.engine.local import RunResult
from weft.engine.questions import Answer
from weft.plan.compile import compile_workflow
from weft.plan.nodes import Plan
from weft.plan.scope import initial_scope
from weft.spec.inputs import resolve_inputs
from weft.spec.load import load_text
from weft.testing.providers import Turn, say
from weft.testing.providers.script import Request

Line = str | Turn | Callable[[Request], "str | Turn"]
_AGENT = re.compile(r"Agent: ([\w-]+)")
HEAD = """\
version: 1
name: play
runtime: {{provider: openai, model_id: gpt-4o-mini, failure_policy: {{retries: 0}}}}
inputs: {{optional: {{topic: {{type: string, default: ships}}}}}}
agents: {{{agents}}}
pattern:
"""


class Cast:
    """A model that speaks each agent's lines in order; an agent's last line is repeated, a function hears the request first."""

    def __init__(self, **lines: Line | list[Line]) -> None:
        self._lines = {name: list(line) if isinstance(line, list) else [line] for name, line in lines.items()}
        self._spoken: dict[str, int] = defaultdict(int)
        self.heard: dict[str, list[Request]] = defaultdict(list)

    def __call__(self, request: Request) -> Turn:
        agent = _AGENT.findall(request.text)[-1]
        self.heard[agent].append(request)
        lines = self._lines[agent]
        line = lines[min(self._spoken[agent], len(lines) - 1)]
        self._spoken[agent] += 1
        said = line(request) if callable(line) else line
        return say(said) if isinstance(said, str) else said

    def prompts(self, agent: str) -> list[str]:
        """What `agent` was last told, request by request."""
        return [request.prompt for request in self.heard[agent]]


class Stage:
    """A studio with a cast and one plan."""

    def __init__(self, studio: Studio, cast: Cast, plan: Plan, inputs: dict[str, Any]) -> None:
        self.studio, self.cast, self.plan, self.inputs = studio, cast, plan, inputs
        self.run_id = ""

    async def run(self) -> RunResult:
        self.run_id = await self.studio.engine.start(self.plan, initial_scope(self.plan, self.inputs))
        return await self.studio.engine.drive(self.run_id)

    async def answer(self, text: str, **more: Any) -> RunResult:
        """Answer the open gate and go on."""
        await self.studio.engine.decide(self.run_id, None, Answer(by="ada", response=text, **more))
        return await self.studio.engine.drive(self.run_id)

    def events(self, kind: str) -> list[Event]:
        return [event for event in self.studio.journal.events(self.run_id) if event.kind == kind]

    def steps(self) -> list[str]:
        """The calls that have succeeded, without the requests inside them."""
        return [event.path for event in self.events("step.completed") if "/agent/" not in event.path]


def workflow_text(pattern: str, agents: str) -> str:
    """The document of a pattern whose agents are named in `agents`."""
    spelled = ", ".join(f'{name}: {{prompt: "You are {name}."}}' for name in agents.split())
    body = "".join(f"  {line}\n" for line in pattern.strip("\n").splitlines())
    return HEAD.format(agents=spelled) + body


@asynccontextmanager
async def stage(
    folder: Path, cast: Cast, pattern: str, agents: str, *, prompts: Mapping[str, str] | None = None, runtime: str = ""
):
    """A stage for a pattern whose agents are named in `agents`; `prompts` replaces texts, `runtime` adds to that section."""
    text = workflow_text(pattern, agents).replace("{retries: 0}", "{retries: 0}" + runtime)
    for old, new in (prompts or {}).items():
        text = text.replace(old, new)
    workflow = load_text(text, "play.yaml")
    inputs = resolve_inputs(workflow, {}).values
    async with studio(cast, folder) as made:
        yield Stage(made, cast, compile_workflow(workflow), inputs)
