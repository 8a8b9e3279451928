# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.base import Identifier, Name, Scalar, Seconds, Section, Text, addition
from weft.spec.model.flow import FLOW_KEYS, TaggedFlowStep, TaggedFlowTask
from weft.spec.model.late import bind

History = Literal["none", "agent", "all"]
Retries = Annotated[int, Field(ge=0, le=100)]


class Validation(Section):
    """What a person's answer must look like."""

    pattern: Text


class AgentStep(Section):
    """Ask an agent. `input` is a template; without one the agent gets what came before."""

    agent: Identifier
    input: str | None = None
    vars: dict[str, Scalar] = {}
    tool_overrides: list[Name] | None = None
    id: Identifier | None = addition()
    timeout_s: Seconds | None = addition()
    retries: Retries | None = addition()
    history: History = addition(default="agent")


class ToolStep(Section):
    """Call a tool directly, without an agent. Strings in `args` are templates."""

    tool: Identifier = addition(default=...)
    args: dict[str, Any] = {}
    id: Identifier | None = addition()
    timeout_s: Seconds | None = addition()
    retries: Retries | None = addition()


class Escalation(Section):
    """Who is asked as well when an answer is late."""

    after_s: Seconds
    to: Annotated[list[Name], Field(min_length=1)]


class HitlStep(Section):
    """Ask a person. `prompt` is shown as it stands, `context_display` is a template."""

    type: Literal["hitl"]
    prompt: Text
    context_display: str | None = None
    default: str | None = None
    timeout_seconds: Annotated[int, Field(ge=0)] | None = None
    validation: Validation | None = None
    id: Identifier | None = addition()
    choices: list[Name] = addition(default=[])
    form: dict[Name, Any] | None = addition()
    assignees: list[Name] = addition(default=[])
    deadline_s: Seconds | None = addition()
    warn_s: Seconds | None = addition()
    escalate: Escalation | None = addition()
    on_reject: Literal["fail", "continue"] | None = addition()


class AgentTask(AgentStep):
    """A task for an agent, started as soon as every task in `deps` is done."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""
    vars: dict[str, Scalar] = addition(default={})
    tool_overrides: list[Name] | None = addition()


class ToolTask(ToolStep):
    """A task that calls a tool directly."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


class HitlTask(HitlStep):
    """A task for a person."""

    id: Identifier
    deps: list[Identifier] = []
    description: str = ""


_KEYS = {"agent": "<agent>", "tool": "<tool>", **FLOW_KEYS}
"""The key that tells each kind of step from the others, the first that is there; what has none is meant for an agent."""


def step_kind(value: Any) -> str:
    """The tag of the kind of step that `value` is, a model or not yet one."""
    if isinstance(value, dict):
        if value.get("type") == "hitl":
            return "<person>"
        return next((tag for key, tag in _KEYS.items() if key in value), "<agent>")
    if isinstance(value, HitlStep):
        return "<person>"
    return next((tag for key, tag in _KEYS.items() if hasattr(value, key)), "<agent>")


Step = Annotated[
    Annotated[AgentStep, Tag("<agent>")]
    | Annotated[ToolStep, Tag("<tool>")]
    | Annotated[HitlStep, Tag("<person>")]
    | TaggedFlowStep,
    Discriminator(step_kind),
]
Task = Annotated[
    Annotated[AgentTask, Tag("<agent>")]
    | Annotated[ToolTask, Tag("<tool>")]
    | Annotated[HitlTask, Tag("<person>")]
    | TaggedFlowTask,
    Discriminator(step_kind),
]
bind("step", Step)
