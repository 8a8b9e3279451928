"""Pydantic AI's durable-execution surface over the steps of a run.

Every model request of an agent becomes the step ``agent/model[n]`` and every tool call ``agent/model[n]/tool[i]`` inside the
call's own step, where `n` counts the requests of this call and `i` is the place of the tool call in the response that asked for
it: structure, never time or order of arrival. A step that is in the journal is answered from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_ai import Agent, RunContext
from pydantic_ai.agent import EventStreamHandler
from pydantic_ai.agent.abstract import AbstractAgent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    BoundDurableOperation,
    DurabilityEngineSpec,
    DurableOperation,
    DurableOperationBackend,
    ModelRequestParams,
    ToolsetCallToolId,
    ToolsetCallToolParams,
    durable_unit_scope,
)
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import ModelRequestContext

from weft.agents.approval import approved, handed_in, unchanged
from weft.agents.correction import Tries, successes
from weft.agents.view import View
from weft.core.clock import to_datetime
from weft.core.errors import BudgetError, ProviderError, WeftError
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


MAX_CALLS = 256
"""Tools that one answer may ask for; providers that have a limit have a lower one."""

CALL: ContextVar[AgentCall | None] = ContextVar("weft_agent_call", default=None)
STEP: ContextVar[StepContext | None] = ContextVar("weft_tool_step", default=None)
ARGUMENTS: ContextVar[Mapping[str, Any] | None] = ContextVar("weft_tool_arguments", default=None)
EARLIER: ContextVar[tuple[Mapping[str, Any], ...]] = ContextVar("weft_tool_earlier", default=())
FAILED: ContextVar[str | None] = ContextVar("weft_tool_failed", default=None)
RESULT: ContextVar[tuple[Any] | None] = ContextVar("weft_tool_result", default=None)
_RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)

Show = Callable[[AgentCall, list[ModelMessage]], Awaitable[list[ModelMessage]]]
"""Gives the messages to send for those of a conversation, which stay as they are."""
ParamsT = TypeVar("ParamsT")
WireT = TypeVar("WireT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Unit(BoundDurableOperation[ParamsT, WireT, ResultT]):
    """One of Pydantic AI's durable units as a step; those that are neither requests nor tool calls have no effect and just run."""

    made_of: DurableOperation[ParamsT, WireT, ResultT]

    @property
    def operation(self) -> DurableOperation[ParamsT, WireT, ResultT]:
        """What it was made of."""
        return self.made_of

    async def __call__(self, params: ParamsT, *, config: object | None = None) -> ResultT:
        """Perform it, or answer it from the journal."""
        del config
        if isinstance(params, ModelRequestParams):
            return cast("ResultT", await _request(params.run_context.deps, partial(self._handled, params)))
        if not (isinstance(params, ToolsetCallToolParams) and isinstance(self.made_of.operation_id, ToolsetCallToolId)):
            return await self._handled(params)
        codec = self.made_of.result_codec

        async def body() -> object:
            return codec.dump(await self._handled(params))

        return codec.load(await _tool_call(params.ctx, params.name, params.tool_args, body))

    async def _handled(self, params: ParamsT) -> ResultT:
        with durable_unit_scope():
            return await self.made_of.handler(params)


class StepBackend(DurableOperationBackend[None]):
    """Turns Pydantic AI's durable units into steps."""

    def bind(
        self, operation: DurableOperation[ParamsT, WireT, ResultT]
    ) -> BoundDurableOperation[ParamsT, WireT, ResultT]:
        """See `DurableOperationBackend`."""
        return Unit(operation)

    def config_for_tool(self, operation: object, *, tool: object | None, tool_name: str) -> None:
        """See `DurableOperationBackend`: a step is not configured by its tool."""
        del operation, tool, tool_name

    def registrations(self) -> Sequence[Callable[..., object]]:
        """See `DurableOperationBackend`: nothing is registered ahead."""
        return ()


async def _request(call: AgentCall, ask: Callable[[], Awaitable[Any]]) -> ModelResponse:
    # Requests of one call follow each other, so their number is structure; the messages that are sent may be a summary.
    index, call.requests = call.requests, call.requests + 1

    async def perform(_: StepContext) -> Done:
        response: ModelResponse = await ask()
        return Done(_lean(response), usage_of(response, call.model))

    value = await call.context.step(
        f"agent/model[{index}]", perform, type="model", target=call.model.id, input={"agent": call.agent}, spends=True
    )
    response = cast("ModelResponse", JSON_CODEC.load(ModelResponse, value))
    if (wanted := len(response.tool_calls)) > MAX_CALLS:
        raise ProviderError(
            f"{call.model.id} asked for {wanted:,} tools at once, more than {MAX_CALLS}: none of them was called",
            fix="the model goes in circles: give it a smaller task, or take another model",
        )
    return response


def _lean(response: ModelResponse) -> dict[str, Any]:
    """A response as JSON without the fields that say nothing; they come back as defaults."""
    used = {name: amount for name, amount in vars(response.usage).items() if amount}
    # Numbers need no serializer, which takes as long for them as for all the rest.
    plain = all(type(amount) is int for amount in used.values())
    exclude = {"usage"} if plain else None
    value: dict[str, Any] = _RESPONSE.dump_python(response, mode="json", exclude_none=True, exclude=exclude)
    value["usage"] = used if plain else {name: amount for name, amount in value["usage"].items() if amount}
    return value


async def _tool_call(
    run: RunContext[AgentCall], name: str, arguments: dict[str, Any], body: Callable[[], Awaitable[object]]
) -> object:
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

    def __init__(self, show: Show, *, event_stream_handler: EventStreamHandler[AgentCall] | None = None) -> None:
        super().__init__(event_stream_handler=event_stream_handler)
        self.id = "journal"  # without one, each run draws one
        self._show = show

    async def before_model_request(
        self, ctx: RunContext[AgentCall], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """Send the conversation as its call sees it; the history that the agent keeps is left as it is."""
        # Part of this capability, since each further one costs every hook of a run a copy of its context. The base would look
        # here whether a hook has asked for another model, and at `prepare_model_request` again: none of ours does.
        request_context.messages = await self._show(ctx.deps, request_context.messages)
        return request_context

    prepare_model_request = AbstractCapability.prepare_model_request

    def _bind_to_agent(self, agent: AbstractAgent[AgentCall, Any]) -> None:
        self._backend = StepBackend()
        # The base would bind these anew for each request, under names that hold the model's; our steps have names of their own.
        self._bound_model_operations = self._bind_model_operations(self._backend, model_id=None, model_name="default")
        self._register_toolsets(agent)

    @property
    def in_durable_context(self) -> bool:
        """Whether the agent is called by a run."""
        return CALL.get() is not None

    async def _model_request_operation(self, params: ModelRequestParams) -> ModelResponse:
        # The base would look its model up as if the request had come to another machine; ours is the one that the agent has.
        model = self._models_by_id["default"]
        return await model.request(params.messages, params.model_settings, params.model_request_parameters)

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


def alone(agent: Agent[AgentCall, Any]) -> None:
    """Leave this capability the only one of `agent`.

    Pydantic AI adds two by itself: one searches for tools, one delivers messages that tools enqueue. Ours do neither, and each
    would cost every hook of a run a copy of its context.
    """
    root = agent._root_capability  # noqa: SLF001 -- no public way leaves them out; a contract test holds this one
    own = [leaf for leaf in root.capabilities if isinstance(leaf, JournalDurability)]
    agent._root_capability = replace(root, capabilities=own)  # noqa: SLF001 -- see above
