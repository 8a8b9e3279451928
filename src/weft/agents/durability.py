"""Pydantic AI's durable-execution surface over the steps of a run.

Every model request of an agent becomes the step ``agent/model[n]`` and every tool call ``agent/model[n]/tool[i]`` inside the
call's own step, where `n` counts the requests of this call and `i` is the place of the tool call in the response that asked for
it: structure, never time or order of arrival. A step that is in the journal is answered from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic_ai import RunContext
from pydantic_ai.agent.abstract import AbstractAgent
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    DurabilityEngineSpec,
    DurableOperationBackend,
    DurableOperationId,
    JournalCallableOperationBackend,
    ModelRequestId,
    RoleBasedOperationConfig,
    ToolsetCallToolId,
)
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from weft.agents.approval import approved, handed_in, unchanged
from weft.agents.correction import Tries, successes
from weft.agents.view import View
from weft.core.clock import to_datetime
from weft.core.errors import BudgetError, WeftError
from weft.engine.port import Done, StepContext
from weft.models.prices import usage_of
from weft.models.ref import ModelRef
from weft.tools.client import ClientTool
from weft.tools.port import Tool, ToolContext
from weft.tools.runner import reconcile_tool


@dataclass(slots=True, kw_only=True)
class AgentCall:
    """One call of an agent: the `deps` of its runs.

    `before` counts the responses that its history brought along, `requests` those that it has got since, `turns` how often the
    agent has been run in this call. `view` is what it sees of its conversation.
    """

    context: StepContext
    agent: str
    model: ModelRef
    tools: Mapping[str, Tool]
    tool_context: Callable[[StepContext], ToolContext]
    before: int = 0
    requests: int = 0
    view: View = field(default_factory=View)
    turns: int = 0


CALL: ContextVar[AgentCall | None] = ContextVar("weft_agent_call", default=None)
STEP: ContextVar[StepContext | None] = ContextVar("weft_tool_step", default=None)
ARGUMENTS: ContextVar[Mapping[str, Any] | None] = ContextVar("weft_tool_arguments", default=None)
EARLIER: ContextVar[tuple[Mapping[str, Any], ...]] = ContextVar("weft_tool_earlier", default=())
FAILED: ContextVar[str | None] = ContextVar("weft_tool_failed", default=None)
RESULT: ContextVar[tuple[Any] | None] = ContextVar("weft_tool_result", default=None)
_USAGE: TypeAdapter[RequestUsage] = TypeAdapter(RequestUsage)

Body = Callable[[], Awaitable[object]]


class StepBackend(JournalCallableOperationBackend[None]):
    """Turns Pydantic AI's durable units into steps."""

    async def execute(
        self,
        *,
        operation_id: DurableOperationId,
        name: str,
        body: Body,
        cache_key: tuple[object, ...],
        config: None,
    ) -> object:
        """Perform one unit as a step; units that are neither requests nor tool calls have no effect and just run."""
        del name, config
        if isinstance(operation_id, ModelRequestId):
            # (model id, messages, settings, parameters, run context)
            run = cast("RunContext[AgentCall]", cache_key[4])
            return await _request(run.deps, body)
        if isinstance(operation_id, ToolsetCallToolId):
            # (tool name, arguments, run context, tool)
            run = cast("RunContext[AgentCall]", cache_key[2])
            return await _tool_call(run, cast("str", cache_key[0]), cast("dict[str, Any]", cache_key[1]), body)
        return await body()


async def _request(call: AgentCall, body: Body) -> object:
    # Requests of one call follow each other, so their number is structure; the messages that are sent may be a summary.
    index, call.requests = call.requests, call.requests + 1

    async def perform(_: StepContext) -> Done:
        value = cast("dict[str, Any]", await body())
        spent = ModelResponse(parts=[], usage=_USAGE.validate_python(value["usage"]))
        return Done(_lean(value), usage_of(spent, call.model))

    return await call.context.step(
        f"agent/model[{index}]", perform, type="model", target=call.model.id, input={"agent": call.agent}, spends=True
    )


def _lean(response: dict[str, Any]) -> dict[str, Any]:
    """A response without the fields that say nothing; they come back as defaults."""
    kept = {name: value for name, value in response.items() if value is not None}
    kept["parts"] = [{name: value for name, value in part.items() if value is not None} for part in response["parts"]]
    return kept


async def _tool_call(run: RunContext[AgentCall], name: str, arguments: dict[str, Any], body: Body) -> object:
    call, tool = run.deps, run.deps.tools[name]
    tries = Tries.of(run.messages, name, before=call.before)
    refusal = tries.refusal(name)
    approved_as: Mapping[str, Any] = arguments
    handed: tuple[Any] | None = None

    async def perform(step: StepContext) -> Done:
        if refusal is not None:
            raise refusal
        token, edited = STEP.set(step), ARGUMENTS.set(approved_as)
        seen, result = EARLIER.set(successes(run.messages[call.view.cut :], name)), RESULT.set(handed)
        try:
            return Done(await body())
        finally:
            RESULT.reset(result)
            STEP.reset(token)
            ARGUMENTS.reset(edited)
            EARLIER.reset(seen)

    async def check(step: StepContext) -> Done | None:
        """A call that was cut off and turns out to have happened: its result, in the form that a tool call has."""
        found = await reconcile_tool(tool, call.tool_context(step))
        if found is None:
            return None
        token = RESULT.set((found,))
        try:
            return Done(await body())
        finally:
            RESULT.reset(token)

    try:
        place = _tool_step(run, call)
        if refusal is None:
            if call.context.recorded(f"{call.context.path}/{place}") is None:
                await unchanged(call.context, f"{place}/", tool, call.tool_context(call.context))
            approved_as = await approved(call.context, place, tool.spec, arguments, agent=call.agent)
            if isinstance(tool, ClientTool):
                handed = (await handed_in(call.context, place, tool.spec, approved_as, agent=call.agent),)
        return await call.context.step(
            place,
            perform,
            type="tool",
            target=name,
            effect=tool.effect_of(approved_as) if refusal is None else "pure",
            input={"arguments": approved_as, "call_id": run.tool_call_id},
            check=check,
        )
    except BudgetError:
        raise
    except WeftError as error:
        # The step has failed, and the journal says so; to the agent the failure is an observation like any other.
        token = FAILED.set(tries.observation(error))
        try:
            return await body()
        finally:
            FAILED.reset(token)


def _tool_step(run: RunContext[AgentCall], call: AgentCall) -> str:
    responses = [message for message in run.messages if isinstance(message, ModelResponse)]
    for place, part in enumerate(responses[-1].tool_calls):
        if part.tool_call_id == run.tool_call_id:
            return f"agent/model[{call.requests - 1}]/tool[{place}]"
    raise AssertionError("a tool call that its response does not hold")


class JournalDurability(BaseDurabilityCapability[AgentCall]):
    """The capability that makes an agent's requests and tool calls steps of the run that calls it."""

    engine_spec = DurabilityEngineSpec(
        engine_name="Weft", durable_unit_noun="step", durable_container_noun="run", codec=JSON_CODEC
    )

    _backend: StepBackend

    def _bind_to_agent(self, agent: AbstractAgent[AgentCall, Any]) -> None:
        self._backend = StepBackend(
            agent_name=self.name, config=RoleBasedOperationConfig(model=None, event=None, capability=None, tool=None)
        )
        self._register_toolsets(agent)

    @property
    def in_durable_context(self) -> bool:
        """Whether the agent is called by a run."""
        return CALL.get() is not None

    def get_durable_operation_backend(self) -> DurableOperationBackend[Any]:
        """The backend that turns units into steps."""
        return self._backend

    def _durable_run_context(self, ctx: RunContext[AgentCall]) -> RunContext[AgentCall]:
        # The base would copy the context to keep tools from cancelling or enqueueing; our tools never get to see it.
        return ctx

    def get_default_run_id(self) -> str | None:
        """An id that is the same when the call is performed again."""
        call = CALL.get()
        if call is None:
            return None
        return call.context.key if call.turns <= 1 else f"{call.context.key}.{call.turns}"

    def get_run_clock(self) -> Callable[[], datetime] | None:
        """The run's clock."""
        call = CALL.get()
        if call is None:
            return None
        clock = call.context.clock
        return lambda: to_datetime(clock.micros())
