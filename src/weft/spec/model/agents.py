# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.approval import Approval
from weft.spec.model.base import Name, Section, Text, addition, by_shape
from weft.spec.model.runtime import Count, Provider, Temperature, TopP, Url

SchemaSource = Annotated[Annotated[Name, Tag("<text>")] | Annotated[dict[str, Any], Tag("<map>")], by_shape()]
"""A JSON Schema, inline or as the path of a file."""


class Inference(Section):
    """How a model samples; each value wins over that of `runtime`."""

    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: Count | None = None


class AgentCard(Section):
    """What a planner reads about an agent: what it is for, what it can do, what it takes and gives."""

    description: str = ""
    capabilities: list[Name] = []
    tags: list[Name] = []
    input: str = ""
    output: str = ""


class Agent(Section):
    """An agent: its instructions, what it may use, and the model it runs on when that is not the default one."""

    prompt: Text
    tools: list[Name] | None = None
    provider: Provider | None = None
    model_id: Name | None = None
    inference: Inference = Inference.model_construct()
    input_schema: SchemaSource | None = None
    output_schema: SchemaSource | None = None
    api: Literal["chat", "responses"] | None = addition()
    host: Url | None = addition()
    base_url: Url | None = addition()
    region: str | None = addition()
    approval: dict[Name, Approval] = addition(default={})
    card: AgentCard | None = addition()


class AgentReference(Section):
    """An agent that another file holds, with what this file changes about it."""

    ref: Name = Field(alias="$ref")
    tools: list[Name] | None = None
    provider: Provider | None = None
    model_id: Name | None = None
    inference: Inference | None = None


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "<reference>" if "$ref" in value else "<agent>"
    return "<reference>" if isinstance(value, AgentReference) else "<agent>"


AgentEntry = Annotated[
    Annotated[Agent, Tag("<agent>")] | Annotated[AgentReference, Tag("<reference>")], Discriminator(_shape)
]
