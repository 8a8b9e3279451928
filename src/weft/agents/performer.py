"""The performer of agent calls."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from pydantic_ai import Agent, ModelRetry, RunContext, UsageLimits
from pydantic_ai.agent import AgentRunResult
from pydantic_ai.exceptions import AgentRunError, ToolRetryError, UnexpectedModelBehavior, UsageLimitExceeded
from pydantic_ai.messages import (
    AgentStreamEvent,
    ModelMessage,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)

from weft.agents.answer import Answered, Turn, converse
from weft.agents.builder import AgentBuilder, model_ref, pick_tools
from weft.agents.compaction import request_overhead
from weft.agents.conversation import history, pack, said_before
from weft.agents.direct import ServerTools, no_servers
from weft.agents.durability import CALL, AgentCall
from weft.agents.input import hold_input
from weft.agents.instructions import instructions_for
from weft.agents.notes import Notes
from weft.agents.remote import RemoteAgents
from weft.agents.subtasks import watched
from weft.agents.view import Compaction, View
from weft.core.errors import BudgetError, Place, ProviderError, SpecError
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call, Plan
from weft.plan.template import render, render_value
from weft.tools.port import Tool

REQUESTS = 50
"""Model requests that one call may make; an agent that wants more is going in circles."""
MAX_RESPONSE = 4_000_000
"""Characters of one answer."""
_REASON = 400
"""Characters of what was wrong with an answer, which may quote it."""

_EMIT: ContextVar[Callable[[Mapping[str, Any]], None] | None] = ContextVar("weft_emit", default=None)


class AgentPerformer:
    """Performs ``agent`` calls.

    `tools` gives the tools of a plan, `servers` those of its MCP servers; with `streaming`, answers are shown as they come in.
    """

    derived = True

    def __init__(
        self,
        builder: AgentBuilder,
        tools: Callable[[Plan], Mapping[str, Tool]],
        *,
        servers: ServerTools = no_servers,
        streaming: bool = False,
        remote: RemoteAgents | None = None,
    ) -> None:
        self._builder = builder
        self._tools = tools
        self._servers = servers
        self._remote = remote
        self._stream = _show if streaming else None

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """Run the agent on the rendered prompt.

        The value holds ``response`` (text, or an object when the agent has an output schema), ``agent``, ``prompt``,
        ``status``, ``tokens_estimated``, and the ``messages`` that the conversation goes on with; ``data`` where the call asks
        for an answer in a form.

        Raises:
            WeftError: the prompt cannot be rendered, the model failed, no answer could be used, or a budget is reached.
        """
        with watched(context, render_value(call.input.get("worker"), scope)):
            return await self._perform(call, scope, context)

    async def _perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        definition = self._definition(call, context)
        local = {**scope, **(call.input.get("vars") or {})}
        prompt = render(call.input.get("prompt") or "", local)
        if "a2a" in definition and self._remote is not None:
            context.note("step.input", {"prompt": prompt, "instructions": ""})
            return Done(await self._remote.ask(call, prompt, definition, context))
        instructions = instructions_for(call.target, definition, context.plan, local)
        hold_input(call.target, definition.get("input_schema"), prompt, local, context)
        policy = context.plan.definitions.get("context_policy") or {}
        tools = await self._usable(call, definition, context)
        notes = Notes.of(policy)
        if notes is not None:
            instructions = "\n\n".join(part for part in (instructions, await notes.given(context)) if part)
        context.note("step.input", {"prompt": prompt, "instructions": instructions})
        agent = self._builder.build(call.target, definition, tools, stream=self._stream)
        before = render_value(call.input.get("messages") or [], local)
        earlier, model = [*said_before(before, context), *history(context)], model_ref(definition)
        deps = AgentCall(
            context=context,
            agent=call.target,
            model=model,
            tools=tools,
            tool_context=self._builder.tool_context,
            before=sum(message.kind == "response" for message in earlier),
            view=_view(Compaction.of(policy, model), instructions, tools),
        )
        wanted = call.input.get("answer")
        answered = await _ask(
            agent, deps, instructions, lambda turn: converse(turn, prompt, earlier, wanted, local, context)
        )
        value = self._value(call, prompt, answered)
        if shortened := deps.view.as_json():
            value["compaction"] = shortened
        if notes is not None:
            await notes.leave(context, call, prompt, answered.output, answered.messages)
        return Done(value)

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """An agent call has no effect of its own: what it did is in the steps inside it."""
        del call, scope, context
        return None

    async def _usable(self, call: Call, definition: Mapping[str, Any], context: StepContext) -> Mapping[str, Tool]:
        """The tools of this call; servers are started only for names that nothing else explains."""
        available, override = self._tools(context.plan), call.input.get("tools")
        common = context.plan.definitions.get("common_tools") or ()
        names = definition.get("tools") if override is None else override
        if names is None or any(name not in available for name in names):
            available = {**available, **await self._servers(context)}
        servers = context.plan.definitions.get("mcp") or ()
        return pick_tools(call.target, definition, available, override, common, groups=servers)

    def _definition(self, call: Call, context: StepContext) -> Mapping[str, Any]:
        agents: Mapping[str, Any] = context.plan.definitions.get("agents") or {}
        definition: Mapping[str, Any] | None = agents.get(call.target)
        if definition is None:
            raise SpecError(
                f"there is no agent {call.target!r}",
                fix=f"define it under agents; defined are: {', '.join(sorted(agents)) or 'none'}",
                place=Place(path=context.path),
            )
        return definition

    def _value(self, call: Call, prompt: str, answered: Answered) -> dict[str, Any]:
        output = answered.output
        if isinstance(output, str) and len(output) > MAX_RESPONSE:
            raise ProviderError(
                f"agent {call.target!r} answered {len(output)} characters, more than {MAX_RESPONSE}",
                fix="set max_tokens in the agent's inference settings",
            )
        return {
            **(call.input.get("facts") or {}),
            "response": output,
            "agent": call.target,
            "prompt": prompt,
            "status": "completed",
            "tokens_estimated": answered.tokens,
            "messages": pack(answered.messages),
            **({"data": answered.data} if "answer" in call.input else {}),
        }


def _view(compaction: Compaction | None, instructions: str, tools: Mapping[str, Tool]) -> View:
    """What a call sees of its conversation; what goes along with each request is counted only where something may be shortened."""
    overhead = 0 if compaction is None else request_overhead(instructions, list(tools.values()))
    return View(compaction=compaction, overhead=overhead)


async def _ask(
    agent: Agent[AgentCall, Any], deps: AgentCall, instructions: str, talk: Callable[[Turn], Awaitable[Answered]]
) -> Answered:
    """What comes of it when `talk` says things to the agent."""

    async def turn(said: str, messages: Sequence[ModelMessage]) -> AgentRunResult[Any]:
        deps.turns += 1
        return await agent.run(
            said,
            message_history=messages,
            deps=deps,
            instructions=instructions,
            usage_limits=UsageLimits(request_limit=REQUESTS),
        )

    call_token, emit_token = CALL.set(deps), _EMIT.set(_teller(deps))
    try:
        return await talk(turn)
    except UsageLimitExceeded as error:
        raise BudgetError(
            f"agent {deps.agent!r} made {REQUESTS} model requests and is still not done",
            fix="give it a smaller task, or say in its prompt when to stop",
            place=Place(path=deps.context.path),
        ) from error
    except (UnexpectedModelBehavior, AgentRunError) as error:
        raise ProviderError(
            f"agent {deps.agent!r} got no usable answer from {deps.model.id}: {_with_reason(error)}",
            fix="look at the answers with `weft show RUN --reasoning`, and adjust the prompt or the output_schema",
            place=Place(path=deps.context.path),
        ) from error
    finally:
        CALL.reset(call_token)
        _EMIT.reset(emit_token)


def _with_reason(error: Exception) -> str:
    """What the library says, and what was wrong with the last answer, which it keeps underneath."""
    under = error.__cause__
    if not isinstance(under, ModelRetry | ToolRetryError):
        return str(error)
    reason = " ".join(str(under).split())
    return f"{error}. {reason[:_REASON]}" + ("…" if len(reason) > _REASON else "")


def _teller(deps: AgentCall) -> Callable[[Mapping[str, Any]], None]:
    """Tells live viewers what one call of an agent says, and who says it."""

    def emit(delta: Mapping[str, Any]) -> None:
        deps.context.emit({**delta, "agent": deps.agent})

    return emit


async def _show(_: RunContext[AgentCall], events: AsyncIterable[AgentStreamEvent]) -> None:
    """Pass text, and what a model says that it thinks, on to live viewers as it comes in."""
    emit, said = _EMIT.get(), 0
    async for event in events:
        if emit is None:
            continue
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                if text:
                    emit({"text": text, "at": said})
                    said += len(text)
            case (
                PartStartEvent(part=ThinkingPart(content=thought))
                | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=thought))
            ):
                if thought:
                    emit({"thought": thought})
            case _:
                pass
