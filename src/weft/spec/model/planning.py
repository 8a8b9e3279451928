# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Literal

from pydantic import Field

from weft.spec.model.base import Identifier, Name, Seconds, Section, Text
from weft.spec.model.runtime import Budgets


class PlanConfig(Section):
    """A plan is made of a request at run time, from what the agents can do, and is then carried out.

    `agents` are those that may take part, all of the file by default. `writer` is an agent that writes the plan instead of the
    rules. `ambiguous` says what happens when a request can be meant in several ways, `approve` whether a person sees the plan first.
    """

    request: Text
    agents: Annotated[list[Identifier], Field(min_length=1)] | None = None
    writer: Identifier | None = None
    ambiguous: Literal["ask", "reject", "first"] = "ask"
    approve: bool = False
    assignees: list[Name] = []
    deadline_s: Seconds | None = None
    alternatives: Annotated[int, Field(ge=1, le=5)] = 1
    max_steps: Annotated[int, Field(ge=1, le=50)] = 20
    cache_s: Annotated[float, Field(ge=0)] = 86_400
    budget: Budgets | None = None


class PlanPattern(Section):
    """``type: plan``."""

    type: Literal["plan"]
    config: PlanConfig
