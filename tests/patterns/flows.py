"""Workflow texts that run in the small world of the engine tests: tools are scripted, time is virtual."""

from __future__ import annotations

import json
import textwrap

from tests.engine.world import World
from weft.core.errors import ToolError
from weft.engine.clock import ClockPerformer
from weft.engine.local import Engine
from weft.engine.port import Done
from weft.plan.compile import compile_workflow
from weft.plan.nodes import Plan
from weft.plan.template import render_value
from weft.spec.load import load_text

HEAD = """\
version: 1
name: flow
runtime: {provider: offline, failure_policy: {retries: 0}}
agents: {unused: {prompt: Nothing.}}
tools: {python: [{id: do, callable: "acme.tools:do"}]}
"""


def flow(kind: str, config: str | dict, head: str = HEAD) -> str:
    """A document with this pattern."""
    text = json.dumps(config) if isinstance(config, dict) else textwrap.dedent(config)
    return f"{head}pattern:\n  type: {kind}\n  config:\n{textwrap.indent(text, '    ')}"


def compiled(kind: str, config: str | dict) -> Plan:
    return compile_workflow(load_text(flow(kind, config), "flow.yaml"))


class Doer:
    """The tool `do`: takes ``takes`` seconds, then fails when ``fails`` (a value, or a list with one for each time) or echoes
    ``gives``. Remembers what it was asked for by ``as``, in order, and counts effects by key.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.times: dict[str, int] = {}
        self.effects: dict[str, int] = {}

    async def perform(self, call, scope, context):
        args = render_value(call.input["args"], scope)
        name = str(args.get("as", context.path))
        self.asked.append(name)
        self.times[name] = turn = self.times.get(name, -1) + 1
        await context.clock.sleep(args.get("takes", 0))
        fails = args.get("fails", False)
        if isinstance(fails, list):
            fails = fails[min(turn, len(fails) - 1)]
        if fails:
            raise ToolError(f"{name} does not work")
        self.effects[context.key] = self.effects.get(context.key, 0) + 1
        return Done({"response": args.get("gives", name)})

    async def check(self, call, scope, context):
        return None


class FlowWorld(World):
    """A `World` whose engine can read the clock, too."""

    def new_engine(self, **settings) -> Engine:
        engine = super().new_engine(**settings)
        engine._performers["clock"] = ClockPerformer()
        return engine


async def run(kind: str, config: str | dict, scope: dict | None = None):
    """Run a pattern to its end; the result and the doer."""
    world = FlowWorld(Doer())
    result = await world.run(compiled(kind, config), scope)
    await world.close()
    return result, world.performer


def tool(name: str, **args) -> dict:
    return {"tool": "do", "args": {"as": name, **args}}
