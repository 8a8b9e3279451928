# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

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


class RemoteAgent(Agent):
    """An agent that answers somewhere else, over A2A: `a2a` is where its card is found.

    What it is told, which model it runs on and what it may use is its own affair. ``${NAME}`` in `headers` is a secret.
    """

    prompt: str = ""
    a2a: Url = Field(json_schema_extra={"since": "1"})
    headers: dict[Name, str] = addition(default={})

    @model_validator(mode="after")
    def _is_its_own(self) -> Self:
        own = {"a2a", "headers", "card"}
        if told := sorted(self.model_fields_set - own):
            raise ValueError(f"a remote agent has no {told[0]}: it says that itself")
        return self


class AgentReference(Section):
    """An agent that another file holds, with what this file changes about it."""

    ref: Name = Field(alias="$ref")
    tools: list[Name] | None = None
    provider: Provider | None = None
    model_id: Name | None = None
    inference: Inference | None = None


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "<reference>" if "$ref" in value else "<remote>" if "a2a" in value else "<agent>"
    if isinstance(value, RemoteAgent):
        return "<remote>"
    return "<reference>" if isinstance(value, AgentReference) else "<agent>"


AgentEntry = Annotated[
    Annotated[Agent, Tag("<agent>")]
    | Annotated[RemoteAgent, Tag("<remote>")]
    | Annotated[AgentReference, Tag("<reference>")],
    Discriminator(_shape),
]
