"""Typed output: an agent's answer held to the JSON Schema that its file gives, its mistakes fed back to it."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent, ModelRetry, StructuredDict

from weft.agents.durability import AgentCall
from weft.core.errors import Place, SpecError
from weft.core.json_schema import check_schema, problems, validator

CORRECTIONS = 3
"""How often an agent may correct an answer that does not fit."""
_SHOWN = 5


def output_type(schema: dict[str, Any] | None, *, agent: str) -> Any:
    """What the agent's output is: text, or an object that `schema` describes.

    Raises:
        SpecError: the schema is not one of an object.
    """
    if schema is None:
        return str
    try:
        check_schema(schema)
        return StructuredDict(schema, name=schema.get("title") or "answer")
    except Exception as error:  # whatever two libraries make of a schema from outside, it is the schema that is wrong
        raise SpecError(
            f"the output_schema of agent {agent!r} cannot be used: {error}",
            fix="give a JSON Schema (draft 2020-12) whose type is object",
            place=Place(pointer=f"/agents/{agent}/output_schema"),
        ) from error


def hold_to_schema(agent: Agent[AgentCall, Any], schema: dict[str, Any]) -> None:
    """Send answers that do not fit `schema` back with what is wrong with them."""
    held = validator(schema)

    @agent.output_validator
    def fits(answer: Any) -> Any:
        found = [f"{error.json_path}: {error.message}" for error in problems(held, answer, _SHOWN)]
        if found:
            raise ModelRetry("The answer does not fit the schema. " + "; ".join(found))
        return answer
