"""The performer of tool calls that a plan makes itself, without an agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from weft.agents.approval import approval_request, edited, unchanged
from weft.agents.calling import call_tool
from weft.core.errors import AuthError, Place, PolicyError, SpecError, ToolError
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call, Plan
from weft.plan.template import render_value
from weft.tools.choice import chosen
from weft.tools.port import Tool, ToolContext
from weft.tools.runner import reconcile_tool

_GATE = "gate"
_ENDING = {"auth": AuthError, "policy": PolicyError}
"""By the cause that a tool's failure names: as what it ends a step, and so the run."""
ServerTools = Callable[[StepContext], Awaitable[Mapping[str, Tool]]]
"""The tools of the MCP servers of a run, once somebody asks for them."""


async def no_servers(_: StepContext) -> Mapping[str, Tool]:
    """There are none."""
    return {}


class ToolPerformer:
    """Performs ``tool`` calls. `tools` gives the tools of a plan, `servers` those of its MCP servers."""

    derived = False

    def __init__(
        self,
        tools: Callable[[Plan], Mapping[str, Tool]],
        tool_context: Callable[[StepContext], ToolContext],
        *,
        servers: ServerTools = no_servers,
    ) -> None:
        self._tools = tools
        self._servers = servers
        self._tool_context = tool_context

    async def before(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> None:
        """Have the call approved, if its tool wants that, and its description, if that is another one now.

        Raises:
            WeftError: it was rejected, or nobody answered in time.
        """
        tool = await self._tool(call, context)
        await unchanged(context, "", tool, self._tool_context(context))
        request = approval_request(context.plan, tool.spec, self._arguments(call, scope))
        if request is not None:
            await context.ask(_GATE, request)

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """Call the tool with the rendered arguments; the value holds its result as ``response``."""
        tool = await self._tool(call, context)
        arguments = self._arguments(call, scope)
        if said := context.recorded(f"{context.path}/{_GATE}"):
            arguments = dict(edited(said, arguments))
        context.note("step.input", {"arguments": arguments})
        try:
            result = await call_tool(tool, arguments, self._tool_context(context))
        except ToolError as error:
            # No agent is there to try another way, so that it ends the run as what it is.
            kind = _ENDING.get(str(error.ids.get("cause")))
            if kind is None:
                raise
            raise kind(error.message, fix=error.fix, place=error.place, **error.ids) from error
        return Done(self._value(call, result))

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """Ask the tool whether a call that was cut off has happened."""
        del scope
        found = await reconcile_tool(await self._tool(call, context), self._tool_context(context))
        return None if found is None else Done(self._value(call, found))

    def _arguments(self, call: Call, scope: Mapping[str, Any]) -> dict[str, Any]:
        arguments: dict[str, Any] = render_value(call.input.get("args") or {}, scope)
        return arguments

    async def _tool(self, call: Call, context: StepContext) -> Tool:
        tools = self._tools(context.plan)
        if call.target in tools:
            return tools[call.target]
        servers = await self._servers(context)
        found, _ = chosen([call.target], servers)
        if len(found) != 1:
            raise SpecError(
                f"there is no tool {call.target!r}",
                fix=f"define it under tools; defined are: {', '.join(sorted({*tools, *servers})) or 'none'}",
                place=Place(path=context.path),
            )
        return next(iter(found.values()))

    def _value(self, call: Call, result: Any) -> dict[str, Any]:
        return {**(call.input.get("facts") or {}), "response": result, "tool": call.target, "status": "completed"}
