# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Literal

from pydantic import Tag

from weft.spec.model.base import Name, Seconds, Section, Text, by_shape
from weft.spec.model.steps import Escalation


class ApprovalRule(Section):
    """When a call of a tool waits for a person, and who is asked. `when` and `prompt` see `arguments`, `tool` and `agent`."""

    when: Text | None = None
    prompt: Text | None = None
    assignees: list[Name] = []
    deadline_s: Seconds | None = None
    warn_s: Seconds | None = None
    escalate: Escalation | None = None
    default: Literal["approve", "reject"] | None = None


Approval = Annotated[
    Annotated[Literal["always", "never"], Tag("<text>")] | Annotated[ApprovalRule, Tag("<map>")], by_shape()
]
"""Whether calls of a tool wait for a person's approval."""
