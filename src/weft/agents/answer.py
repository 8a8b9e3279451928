"""Answers that a plan goes on with: JSON read out of what an agent says, held to a schema, asked for again when it does not fit.

A call that needs one says so in its input:

``"answer": {"schema", "instruction", "offers", "retries", "fallback", "subtasks"}``

`schema` is the JSON Schema of the answer and `instruction` the sentence that asks for it, put behind the prompt; `offers` are the names
to choose from, each with what is said of it, which the sentence ends with. An answer that cannot be used is sent back, in the same
conversation, up to `retries` times; then `fallback` stands in, if there is one. `subtasks` marks a list of subtasks, see
`weft.agents.subtasks`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_ai.messages import ModelMessage

from weft.agents.subtasks import announce, in_order
from weft.core.errors import ProviderError
from weft.core.json_schema import problems, validator
from weft.engine.port import StepContext
from weft.plan.template import render_value

MAX_READ = 400_000
"""Characters of an answer in which JSON is looked for."""
MAX_PLACES = 200
"""Places in an answer at which JSON may begin."""
_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_NUMBER = re.compile(r"\s*(-?\d{1,15}(?:\.\d{1,15})?)\s*(?:%|/\s*\d{1,15}|points?)?\s*", re.IGNORECASE)
_SHOWN = 300


class Result(Protocol):
    """What one turn with an agent gives."""

    output: Any

    def all_messages(self) -> list[ModelMessage]:
        """The whole conversation so far."""
        ...

    @property
    def usage(self) -> Any:
        """What the turn has consumed."""
        ...


Turn = Callable[[str, Sequence[ModelMessage]], Awaitable[Result]]
"""Says a text to the agent, after the messages."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an agent said in the end, the messages that this call added, its tokens, and the data of its answer."""

    output: Any
    messages: list[ModelMessage]
    tokens: int
    data: Any = None


async def converse(
    turn: Turn,
    prompt: str,
    earlier: Sequence[ModelMessage],
    wanted: Mapping[str, Any] | None,
    scope: Mapping[str, Any],
    context: StepContext,
) -> Answered:
    """Ask with `prompt`, and again as long as the answer does not hold what is `wanted`.

    Raises:
        ProviderError: no answer could be used, and there is no fallback.
    """
    if wanted is None:
        result = await turn(prompt, earlier)
        return Answered(result.output, result.all_messages()[len(earlier) :], result.usage.total_tokens)
    instruction = asked_for(wanted)
    tries = int(wanted.get("retries", 1)) + 1
    said, messages = f"{prompt}\n\n{instruction}", list(earlier)
    tokens = 0
    for _attempt in range(tries):
        result = await turn(said, messages)
        messages = result.all_messages()
        tokens += result.usage.total_tokens
        try:
            data = read_answer(result.output, wanted["schema"])
        except ValueError as error:
            complaint = str(error)
            said = f"Your answer cannot be used: {complaint}\n\n{instruction}"
            continue
        return Answered(result.output, messages[len(earlier) :], tokens, _finished(data, wanted, scope, context))
    if "fallback" not in wanted:
        times = "once" if tries == 1 else f"{tries} times"
        raise ProviderError(
            f"the answer could not be used, though it was asked for {times}: {complaint}",
            fix="look at the answers with `weft show`, and say in the agent's prompt what to answer",
        )
    return Answered(result.output, messages[len(earlier) :], tokens, wanted["fallback"])


def asked_for(wanted: Mapping[str, Any]) -> str:
    """The sentence that asks for an answer. It ends with the names to choose from: one to a line with what is said of them, or only they."""
    offers: Mapping[str, str] = wanted.get("offers") or {}
    if any(offers.values()):
        end = "".join(f"\n- {name}: {about}" if about else f"\n- {name}" for name, about in offers.items())
    else:
        end = f" {', '.join(offers)}" if offers else ""
    return f"{wanted['instruction']}{end}"


def _finished(data: Any, wanted: Mapping[str, Any], scope: Mapping[str, Any], context: StepContext) -> Any:
    rules = wanted.get("subtasks")
    if rules is None:
        return data
    said = render_value(rules, scope)
    found = in_order(data, done=said["done"])
    announce(context, found, said["first"])
    return found


def read_answer(output: Any, schema: Mapping[str, Any]) -> Any:
    """The value in `output` that fits `schema`: `output` itself, or JSON that is its text, stands in a fence or is embedded.

    Raises:
        ValueError: there is none; the text says why, for the agent to read.
    """
    complaint = ""
    held = validator(schema)
    for candidate in _candidates(output):
        value = _eased(candidate, schema)
        found = problems(held, value, 1)
        if not found:
            return value
        complaint = complaint or f"{found[0].json_path}: {found[0].message[:_SHOWN]}."
    raise ValueError(complaint or "there is no JSON in it.")


def _candidates(output: Any) -> Iterator[Any]:
    if not isinstance(output, str):
        yield output
        return
    text = output.strip().removeprefix("\ufeff")[:MAX_READ]
    for part in (text, *(match[1] for match in _FENCE.finditer(text))):
        try:
            value, end = _DECODER.raw_decode(part.strip())
        except (ValueError, RecursionError):
            continue
        if not part.strip()[end:].strip():
            yield value
    yield from _embedded(text)


def _embedded(text: str) -> Iterator[Any]:
    place = 0
    for _place in range(MAX_PLACES):
        found = re.compile(r"[{\[]").search(text, place)
        if found is None:
            return
        try:
            value, place = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            place = found.start() + 1
            continue
        if value:
            yield value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number, strict=False)


def _eased(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` in the form that `schema` asks for, where what is meant is plain: models wrap lists and quote numbers."""
    kind = schema.get("type")
    if kind == "array":
        return _eased_list(value, schema.get("items") or {})
    if kind == "object" and isinstance(value, dict):
        properties: Mapping[str, Any] = schema.get("properties") or {}
        eased = {name: _eased(item, properties.get(name) or {}) for name, item in value.items() if item is not None}
        return {name: entry["default"] for name, entry in properties.items() if "default" in entry} | eased
    if kind == "number" and isinstance(value, str) and (match := _NUMBER.fullmatch(value)):
        return float(match[1]) if "." in match[1] else int(match[1])
    if isinstance(value, str) and "enum" in schema and value not in schema["enum"]:
        plain = value.strip().casefold()
        return next((name for name in schema["enum"] if str(name).casefold() == plain), value)
    return value


def _eased_list(value: Any, items: Mapping[str, Any]) -> Any:
    required = list(items.get("required") or ())
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        whole = all(name in value for name in required) and bool(required)
        value = [value] if whole else lists[0] if len(lists) == 1 else value
    elif isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return value
    single = required[0] if len(required) == 1 else None
    return [{single: item} if single and isinstance(item, str) else _eased(item, items) for item in value]
