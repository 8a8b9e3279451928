"""Typed input: what an agent is given, held to the JSON Schema that its file gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.core.canonical import strict_loads
from weft.core.errors import InputError, Place
from weft.core.json_schema import problems, validator
from weft.engine.port import StepContext

_SHOWN = 5
_OURS = frozenset({"name", "runtime", "context_policy", "execution_context", "steps", "tasks", "branches", "nodes"})
"""Names of the language in a scope, which are no input of the agent unless its step says so."""


def hold_input(
    agent: str, schema: Mapping[str, Any] | None, prompt: str, scope: Mapping[str, Any], context: StepContext
) -> None:
    """Refuse what does not fit the agent's input schema, before anybody is paid for it.

    What is held to it: the object that the prompt is, when it is one as JSON; else the values in `scope` that the schema names. A
    prompt in words, with none of these names there, has nothing to hold.

    Raises:
        InputError: it does not fit.
    """
    if not schema:
        return
    given = _given(schema, prompt, scope)
    if given is None:
        return
    found = [f"{error.json_path}: {error.message[:200]}" for error in problems(validator(schema), given, _SHOWN)]
    if found:
        raise InputError(
            f"the input of agent {agent!r} does not fit its input_schema: {'; '.join(found)}",
            fix="correct what the step gives it: its input, its vars, or the inputs of the run",
            place=Place(path=context.path),
        )


def _given(schema: Mapping[str, Any], prompt: str, scope: Mapping[str, Any]) -> Any:
    if prompt.lstrip().startswith("{"):
        try:
            found = strict_loads(prompt)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
    properties = schema.get("properties")
    fields = properties if isinstance(properties, Mapping) else {}
    found = {name: _meant(scope[name], field) for name, field in fields.items() if name in scope and name not in _OURS}
    return found or None


def _meant(value: Any, field: Any) -> Any:
    """A text for what is no text, as an undeclared input of a run comes: read as JSON, when it is that."""
    kind = field.get("type") if isinstance(field, Mapping) else None
    if isinstance(value, str) and isinstance(kind, str) and kind != "string":
        try:
            return strict_loads(value)
        except (ValueError, RecursionError):
            return value
    return value
