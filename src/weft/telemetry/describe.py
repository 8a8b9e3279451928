"""What a span says about its step: name and attributes by type of step, in the words of the GenAI conventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.core.usage import Usage
from weft.telemetry import names
from weft.telemetry.identity import last_segment

Attribute = str | bool | int | float | tuple[str, ...]
Attributes = dict[str, Attribute]

_REQUEST = {
    "temperature": names.REQUEST_TEMPERATURE,
    "top_p": names.REQUEST_TOP_P,
    "max_tokens": names.REQUEST_MAX_TOKENS,
}


def describe(type_: str, path: str, given: Any, value: Any) -> tuple[str, Attributes]:
    """Name and attributes of a step's span.

    Args:
        type_: ``agent``, ``model``, ``tool`` or any other type of step.
        path: The step's path, whose last segment names what `given` does not.
        given: The step's input. Read from it, where present: ``agent``; ``model`` (``provider/name``, or ``name`` with
            ``provider``), ``temperature``, ``top_p``, ``max_tokens``; ``tool``, ``call_id``.
        value: The step's value. Read from a model's: ``model_name``, ``provider_response_id``, ``finish_reason``.
    """
    given = given if isinstance(given, Mapping) else {}
    value = value if isinstance(value, Mapping) else {}
    describer = _BY_TYPE.get(type_)
    if describer is None:
        return last_segment(path), {}
    return describer(path, given, value)


def usage_attributes(type_: str, usage: Any) -> Attributes:
    """What a step consumed. Only requests carry the conventions' names, so that summing over spans counts nothing twice."""
    if not isinstance(usage, Mapping):
        return {}
    used = Usage.from_json(usage)
    if type_ == "model":
        found: Attributes = {names.INPUT_TOKENS: used.input_tokens, names.OUTPUT_TOKENS: used.output_tokens}
        if used.cache_read_tokens:
            found[names.CACHE_READ_TOKENS] = used.cache_read_tokens
        if used.cache_write_tokens:
            found[names.CACHE_WRITE_TOKENS] = used.cache_write_tokens
    else:
        found = {
            names.TOTAL_REQUESTS: used.requests,
            names.TOTAL_INPUT_TOKENS: used.input_tokens,
            names.TOTAL_OUTPUT_TOKENS: used.output_tokens,
        }
    if not used.unpriced:
        found[names.COST if type_ == "model" else names.TOTAL_COST] = float(used.cost)
    return found


def _agent(path: str, given: Mapping[str, Any], _value: Mapping[str, Any]) -> tuple[str, Attributes]:
    name = str(given.get("agent") or last_segment(path))
    found: Attributes = {names.OPERATION: names.INVOKE_AGENT, names.AGENT: name}
    return f"{names.INVOKE_AGENT} {name}", found | _model_of(given)


def _model(_path: str, given: Mapping[str, Any], value: Mapping[str, Any]) -> tuple[str, Attributes]:
    found: Attributes = {names.OPERATION: names.CHAT, **_model_of(given)}
    for key, name in _REQUEST.items():
        if isinstance(number := given.get(key), int | float):
            found[name] = number
    if answered_by := value.get("model_name"):
        found[names.RESPONSE_MODEL] = str(answered_by)
    if response := value.get("provider_response_id"):
        found[names.RESPONSE_ID] = str(response)
    if reason := value.get("finish_reason"):
        found[names.FINISH_REASONS] = (str(reason),)
    return f"{names.CHAT} {found.get(names.REQUEST_MODEL, 'model')}", found


def _tool(path: str, given: Mapping[str, Any], _value: Mapping[str, Any]) -> tuple[str, Attributes]:
    name = str(given.get("tool") or last_segment(path))
    found: Attributes = {names.OPERATION: names.EXECUTE_TOOL, names.TOOL: name}
    if call := given.get("call_id"):
        found[names.TOOL_CALL_ID] = str(call)
    return f"{names.EXECUTE_TOOL} {name}", found


def _model_of(given: Mapping[str, Any]) -> Attributes:
    model = given.get("model")
    if not isinstance(model, str) or not model:
        return {}
    provider = given.get("provider")
    if not provider and "/" in model:
        provider, _, model = model.partition("/")
    found: Attributes = {names.REQUEST_MODEL: model}
    if provider:
        found[names.PROVIDER] = names.PROVIDERS.get(str(provider), str(provider))
    return found


_BY_TYPE: Mapping[str, Callable[[str, Mapping[str, Any], Mapping[str, Any]], tuple[str, Attributes]]] = {
    "agent": _agent,
    "model": _model,
    "tool": _tool,
}
