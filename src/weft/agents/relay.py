"""The performer of ``model`` calls: one request to a model as it stands, without an agent around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from weft.agents.builder import AgentBuilder, model_ref
from weft.agents.performer import MAX_RESPONSE
from weft.agents.transcript import as_messages
from weft.core.clock import to_datetime
from weft.core.errors import ProviderError, WeftError
from weft.engine.port import Done, StepContext
from weft.models.prices import usage_of
from weft.plan.nodes import Call
from weft.plan.template import render_value


class ModelPerformer:
    """Asks the model of the plan's definition that a call names, once, and streams what it answers.

    The call's input holds ``messages`` (see `weft.agents.transcript`), ``settings`` of the request, ``tools`` that the model may ask for
    (``name``, ``description``, ``parameters``, ``strict``), and ``form``, the JSON Schema that the answer is to have. Whoever started the run
    calls the tools: here nothing is called.
    """

    derived = False

    def __init__(self, builder: AgentBuilder) -> None:
        self._builder = builder

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """The answer: ``response`` (text), ``calls`` (``id``, ``name``, ``arguments`` as JSON text), ``finish_reason``, ``model_name``.

        Raises:
            WeftError: the messages cannot be read, or the model failed.
        """
        given: Mapping[str, Any] = render_value(dict(call.input), scope)
        ref = model_ref(context.plan.definitions["agents"][call.target])
        settings = dict(given.get("settings") or {})
        context.note("step.input", {"model": ref.id, "agent": call.target, **_numbers(settings)})
        messages = as_messages(given["messages"], to_datetime(context.clock.micros()))
        said = _Said(context, call.target)
        try:
            response = await self._ask(messages, settings, _parameters(given), ref, said)
        except WeftError as error:
            # What was heard cannot be taken back, and would be heard twice.
            error.final = error.final or said.anything
            raise
        if len(response.text or "") > MAX_RESPONSE:
            raise ProviderError(
                f"{ref.id} answered more than {MAX_RESPONSE} characters", fix="ask for less with max_tokens"
            )
        return Done(_value(response), usage_of(response, ref))

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """A request has no effect that could be found again."""
        del call, scope, context
        return None

    async def _ask(
        self,
        messages: list[ModelMessage],
        settings: dict[str, Any],
        parameters: ModelRequestParameters,
        ref: Any,
        said: _Said,
    ) -> ModelResponse:
        model = self._builder.open_model(ref)
        async with model_request_stream(
            model,
            messages,
            model_settings=ModelSettings(**settings),  # type: ignore[typeddict-item]  # checked where they come in
            model_request_parameters=parameters,
            instrument=False,
        ) as stream:
            async for event in stream:
                said.hear(event)
            return stream.get()


class _Said:
    """Passes on what a model says while it comes in. Calls of tools are counted in the order in which they begin."""

    def __init__(self, context: StepContext, target: str) -> None:
        self._context = context
        self._target = target
        self._calls: dict[int, int] = {}
        self._length = 0
        self.anything = False

    def hear(self, event: ModelResponseStreamEvent) -> None:
        """Pass on one piece."""
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                self._tell({"text": text, "at": self._length}, text)
                self._length += len(text)
            case (
                PartStartEvent(part=ThinkingPart(content=text))
                | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text))
            ):
                self._tell({"thought": text}, text)
            case PartStartEvent(index=place, part=ToolCallPart() as part):
                number = self._calls[place] = len(self._calls)
                begun = {"index": number, "id": part.tool_call_id, "name": part.tool_name}
                self._tell({"call": {**begun, "arguments": _json(part.args)}}, part.tool_name)
            case PartDeltaEvent(index=place, delta=ToolCallPartDelta(args_delta=piece)) if place in self._calls:
                self._tell({"call": {"index": self._calls[place], "arguments": _json(piece)}}, piece)
            case _:
                pass

    def _tell(self, delta: dict[str, Any], what: Any) -> None:
        if what:
            self.anything = True
            self._context.emit({**delta, "agent": self._target})


def _parameters(given: Mapping[str, Any]) -> ModelRequestParameters:
    tools = [
        ToolDefinition(
            name=one["name"],
            description=one.get("description"),
            parameters_json_schema=one.get("parameters") or {"type": "object", "properties": {}},
            strict=one.get("strict"),
        )
        for one in given.get("tools") or ()
    ]
    form = given.get("form")
    if not form:
        return ModelRequestParameters(function_tools=tools)
    wanted = OutputObjectDefinition(
        json_schema=form["schema"],
        name=form.get("name"),
        description=form.get("description"),
        strict=form.get("strict"),
    )
    return ModelRequestParameters(function_tools=tools, output_mode="native", output_object=wanted)


def _value(response: ModelResponse) -> dict[str, Any]:
    calls = [
        {"id": part.tool_call_id, "name": part.tool_name, "arguments": _json(part.args) or "{}"}
        for part in response.tool_calls
    ]
    thoughts = "".join(part.content for part in response.parts if isinstance(part, ThinkingPart))
    return {
        "response": response.text or "",
        "status": "completed",
        "finish_reason": response.finish_reason,
        "model_name": response.model_name,
        "provider_response_id": response.provider_response_id,
        **({"calls": calls} if calls else {}),
        **({"thoughts": thoughts} if thoughts else {}),
    }


def _json(arguments: str | dict[str, Any] | None) -> str:
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("temperature", "top_p", "max_tokens") if name in settings}
