"""The model `offline/extract`: it works on the text of a request, on this machine, without a network or a key."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from weft.models.offline.answer import quotes, respond
from weft.models.offline.asked_tasks import asked_tasks
from weft.models.offline.brief import Brief, Material, read_brief
from weft.models.offline.judge import with_label
from weft.models.offline.options import Option, choose
from weft.models.offline.phrases import NEAREST, SILENT
from weft.models.offline.rank import central
from weft.models.offline.reading import Reading, ToolResult, read_messages
from weft.models.offline.reply import NAME, OfflineStream, Reply, cut, input_size, part_size
from weft.models.offline.schema_fill import Filled, fill_schema
from weft.models.offline.shape import answer_shape, asked_shape, without_examples, without_request
from weft.models.offline.tool_choice import MAX_CALLS, Call, Tool, choose_calls
from weft.models.offline.turns import turn_of
from weft.models.offline.words import name_terms

_SHORT_RESULT = 60
_NEAREST = 3
_SHOWN_LINES = 40
_INLINE_LIMIT = 100_000
"""Characters of prompt beyond which the work is done in a thread, so that the event loop keeps turning."""
_VERBATIM = frozenset(name_terms("list ls time clock date calculator calculate head tail grep"))
_READS = re.compile(r"\b(?:read|open|summari[sz]e|compare|quote|analy[sz]e|report)\b", re.IGNORECASE)


class OfflineModel(Model[None]):
    """Extractive answers, choices, scores, filled schemas and tool calls, from the words of the request alone.

    The same request always gives the same reply. It knows nothing that the request does not say, and says so.
    """

    def __init__(self, *, settings: ModelSettings | None = None) -> None:
        profile = ModelProfile(
            supports_tools=True,
            supports_json_schema_output=True,
            supports_json_object_output=True,
            supports_inline_system_prompts=True,
            default_structured_output_mode="tool",
        )
        super().__init__(settings=settings, profile=profile)

    @property
    def model_name(self) -> str:
        """``offline/extract``: the name says what it is."""
        return NAME

    @property
    def system(self) -> str:
        """The provider's name."""
        return "offline"

    @property
    def provider(self) -> None:
        """None: there is no client behind this model."""
        return

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Answer `messages`."""
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        reply = await _reply(messages, settings or {}, parameters)
        return ModelResponse(
            parts=list(reply.parts),
            usage=reply.usage,
            model_name=NAME,
            provider_name="offline",
            finish_reason=reply.finish_reason,
        )

    async def count_tokens(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> RequestUsage:
        """The input size of `messages`, in the pieces of `words.count_pieces`."""
        _, parameters = self.prepare_request(model_settings, model_request_parameters)
        return RequestUsage(input_tokens=input_size(messages, parameters))

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002 -- part of the interface
    ) -> AsyncGenerator[StreamedResponse]:
        """Answer `messages` word by word."""
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        yield OfflineStream(
            model_request_parameters=parameters, reply=await _reply(messages, settings or {}, parameters)
        )


async def _reply(
    messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
) -> Reply:
    reading = read_messages(messages, parameters)
    size = len(reading.prompt) + len(reading.instructions) + sum(len(m.text) for m in reading.earlier)
    size += sum(len(result.text) for result in reading.results)
    if size > _INLINE_LIMIT:
        return await asyncio.to_thread(_work, reading, messages, settings, parameters)
    return _work(reading, messages, settings, parameters)


def _work(
    reading: Reading, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
) -> Reply:
    turn = turn_of(reading.prompt, reading.instructions) if not parameters.output_tools else None
    reading = replace(reading, prompt=turn.question) if turn else reading
    brief = _brief(reading)
    parts: tuple[ModelResponsePart, ...]
    finish: FinishReason = "tool_call"
    if calls := _tool_calls(brief, reading, settings, parameters):
        parts = tuple(_part(call, reading.calls + i) for i, call in enumerate(calls))
    elif output := _output_call(brief, parameters):
        parts = (_part(output, reading.calls),)
    else:
        said = turn.answer if turn and turn.answer else _text(brief, reading, parameters)
        if turn and said == SILENT:
            # Whoever is asked last answers with what there is.
            said = f"{NEAREST}\n{quotes(central(brief.prose, limit=_NEAREST))}"
        text, finish = cut(said, settings.get("max_tokens"))
        parts = (TextPart(text),)
    produced = sum(part_size(part) for part in parts)
    return Reply(parts, RequestUsage(input_tokens=input_size(messages, parameters), output_tokens=produced), finish)


def _brief(reading: Reading) -> Brief:
    shape = answer_shape(reading.prompt) or {}
    if "route" in shape.get("properties", {}):
        # An example of an answer is no choice.
        return _read(replace(reading, prompt=without_examples(reading.prompt, "route")))
    if "score" not in shape.get("properties", {}):
        return _read(reading)
    # What says how to answer is nothing that a text could be judged by.
    prompt = with_label(without_examples(without_request(reading.prompt), "score"))
    role = without_examples(reading.instructions, "score")
    return replace(_read(replace(reading, prompt=prompt, instructions=role)), intent="score", judging=True)


def _read(reading: Reading) -> Brief:
    results = [result for result in reading.results if not result.failed]
    # The names of files are no text to quote once the files themselves are there.
    telling = [result for result in results if not _is_listing(result)] or results
    materials = [Material(result.text, result.label) for result in telling]
    return read_brief(
        instructions=reading.instructions,
        prompt=reading.prompt,
        materials=materials,
        earlier=reading.earlier[::-1],
    )


def _tool_calls(
    brief: Brief, reading: Reading, settings: ModelSettings, parameters: ModelRequestParameters
) -> list[Call]:
    choice = settings.get("tool_choice")
    tools = [_tool(definition) for definition in parameters.declared_function_tools]
    if isinstance(choice, list):
        tools = [tool for tool in tools if tool.name in choice]
    if not tools or choice == "none" or brief.intent == "identity":
        return []
    made = {result.call.key for result in reading.results}
    forced = (choice == "required" or isinstance(choice, list)) and not made
    calls = choose_calls(brief.ask, tools, made=made, forced=forced)
    if not calls and (paths := _listed_paths(brief, reading)):
        calls = choose_calls(f"Read {' '.join(paths)}", tools, made=made)
    if calls or not brief.role:
        return calls
    # Standing instructions speak for a tool only when they hold its arguments too.
    return choose_calls(brief.role, [tool for tool in tools if tool.parameters.get("required")], made=made)


def _listed_paths(brief: Brief, reading: Reading) -> list[str]:
    """The files that a listing gave, when the task is about what they say."""
    if not _READS.search(brief.ask):
        return []
    paths: list[str] = []
    for result in reading.results:
        if _is_listing(result) and not result.failed:
            folder = next((str(v).rstrip("/") for v in result.call.arguments.values()), ".")
            names = [line.strip().removeprefix("- ") for line in result.text.splitlines()]
            paths += [name if "/" in name or folder == "." else f"{folder}/{name}" for name in names if "." in name]
    return paths[:MAX_CALLS]


def _is_listing(result: ToolResult) -> bool:
    return "list" in name_terms(result.call.tool)


def _tool(definition: ToolDefinition) -> Tool:
    return Tool(definition.name, definition.description or "", definition.parameters_json_schema)


def _output_call(brief: Brief, parameters: ModelRequestParameters) -> Call | None:
    """The output tool that the text fills best; none where text may be answered and no tool is filled completely."""
    filled = [(tool, fill_schema(tool.parameters_json_schema, brief)) for tool in parameters.output_tools]
    if not filled:
        return None
    options = [Option(tool.name, tool.description or "") for tool, _ in filled]
    named, _ = choose(options, brief.ask) if len(options) > 1 else (options[0], 0.0)
    tool, value = min(filled, key=lambda row: (not row[1].complete, len(row[1].missing), row[0].name != named.name))
    if parameters.allow_text_output and (not value.complete or value.missing):
        return None
    return Call(tool.name, value.value if isinstance(value.value, dict) else {})


def _text(brief: Brief, reading: Reading, parameters: ModelRequestParameters) -> str:
    if parameters.output_object is not None:
        return _json(fill_schema(parameters.output_object.json_schema, brief))
    schema = answer_shape(reading.prompt) or asked_shape(brief.ask) or asked_shape(brief.role)
    if schema is not None:
        if list(schema.get("items", {}).get("properties", ())) == ["task"]:
            return json.dumps([{"task": task} for task in asked_tasks(brief, reading.prompt)], ensure_ascii=False)
        return _json(fill_schema(schema, brief))
    succeeded = [result for result in reading.results if not result.failed]
    succeeded = [result for result in succeeded if not _is_listing(result)] or succeeded
    if reading.results and not succeeded:
        return "\n".join(f"The tool {result.call.tool} failed: {result.text[:500]}" for result in reading.results)
    if succeeded and _as_is(brief, succeeded):
        return "\n".join(_shown(result) for result in succeeded)
    return respond(brief)


def _json(filled: Filled) -> str:
    return json.dumps(filled.value, ensure_ascii=False, indent=2)


def _as_is(brief: Brief, results: Sequence[ToolResult]) -> bool:
    """Whether tool results are the answer themselves rather than text to look for one in."""
    if brief.intent in ("route", "score", "report", "subtasks"):
        return False
    short = sum(len(result.text.split()) for result in results) <= _SHORT_RESULT
    return short or all(set(name_terms(result.call.tool)) & _VERBATIM for result in results)


def _shown(result: ToolResult) -> str:
    lines = result.text.strip().splitlines()
    if len(lines) <= 1:
        return f"{result.text.strip()} [{result.label}]"
    kept = "\n".join(lines[:_SHOWN_LINES])
    more = f"\n({len(lines) - _SHOWN_LINES} more lines)" if len(lines) > _SHOWN_LINES else ""
    return f"{kept}{more}\n[{result.label}]"


def _part(call: Call, number: int) -> ToolCallPart:
    return ToolCallPart(call.tool, dict(call.arguments), tool_call_id=f"offline-{number + 1}")
