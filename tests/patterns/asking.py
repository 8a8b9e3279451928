"""Agents that call a tool of their own which somebody has to approve: the real performer of agents over a scripted model."""

from __future__ import annotations

import random
from contextvars import ContextVar
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from tests.patterns.samples import PATTERNS
from weft.agents.builder import AgentBuilder
from weft.agents.performer import AgentPerformer
from weft.testing.simulator.script import answer

TOOL = "ask"
_ASKED: ContextVar[Any] = ContextVar("asked")

_OWN = {
    "state_machine": """\
type: state_machine
config: {initial: a, states: {a: {entry: {agent: a, input: Enter.}, exit: {agent: a, input: Leave.}, always: z}, z: {final: true}}}
""",
}
"""Samples that wait for nothing but the approval."""
ASKING = {f"{name}, an agent's own call": _OWN.get(name, text) for name, text in PATTERNS.items()}
"""Each pattern of the shelf; its agent `a` has the tool `ask`, and calls it each time that it is asked anything."""


class AskingAgents:
    """Performs the calls of agents that have tools as the product does, and leaves the others to `scripted`."""

    derived = True

    def __init__(self, scripted: Any, tools: Any, context: Any) -> None:
        model = FunctionModel(self._says)
        self._scripted = scripted
        self._real = AgentPerformer(AgentBuilder(lambda _: model, context), tools)

    async def perform(self, call, scope, context):
        definition = context.plan.definitions["agents"].get(call.target) or {}
        if TOOL not in (definition.get("tools") or ()):
            return await self._scripted.perform(call, scope, context)
        token = _ASKED.set((call, {**scope, **(call.input.get("vars") or {})}, context))
        try:
            return await self._real.perform(call, scope, context)
        finally:
            _ASKED.reset(token)

    async def check(self, call, scope, context):
        return None

    @staticmethod
    async def _says(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """The call of the tool first, then the answer of the script, whatever became of the call."""
        call, scope, context = _ASKED.get()
        turns = [m for m in messages if isinstance(m, ModelResponse)]
        heard = any(isinstance(part, ToolReturnPart) for part in messages[-1].parts)
        retried = any("cannot be used" in str(part) for part in messages[-1].parts)
        usage = RequestUsage(input_tokens=10, output_tokens=5)
        if not heard and not retried:
            part = ToolCallPart(TOOL, {"as": context.path}, tool_call_id=f"call-{len(turns)}")
            return ModelResponse([part], usage=usage)
        draw = random.Random(f"{context.path}/{len(turns)}")
        return ModelResponse([TextPart(answer(call, scope, draw))], usage=usage)
