"""What is offered as tools: one for each workflow and agent that is served, and those that are about runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from mcp_types import Tool, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from weft.app.serving.library import Published
from weft.server.mcp.results import run_schema
from weft.spec.model.workflow import Workflow

_MAX_ID = 100
RunId = Annotated[str, Field(min_length=1, max_length=_MAX_ID, description="The id of the run.")]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Start(_Arguments):
    """Start a run and return at once with its id. With a key, the same again within a day is the same run."""

    workflow: Annotated[str, Field(min_length=1, max_length=300, description="A workflow, or `workflow/agent`.")]
    inputs: Annotated[dict[str, Any], Field(description="The inputs by name.")] = Field(default_factory=dict)
    key: Annotated[str, Field(max_length=200, description="Makes starting it again harmless.")] = ""


class Status(_Arguments):
    """Say where a run stands and what it waits for; without an id, list the latest runs that are open."""

    run_id: Annotated[str, Field(max_length=_MAX_ID, description="The id of the run.")] = ""


class Result(_Arguments):
    """The answer of a run. A run that has not ended is waited for, for `wait_s` seconds at most."""

    run_id: RunId
    wait_s: Annotated[float, Field(ge=0, le=300)] = 0.0
    offset: Annotated[int, Field(ge=0, description="Where to go on in an answer that was cut.")] = 0


class Decide(_Arguments):
    """Answer a gate for the person who asked you to: weft_status shows what is asked. Never decide in their place."""

    run_id: RunId
    gate: Annotated[str, Field(max_length=2_000, description="Its id; needed when several are open.")] = ""
    choice: Annotated[str | None, Field(max_length=1_000, description="One of the choices.")] = None
    response: Annotated[str | None, Field(max_length=200_000, description="The answer as text.")] = None
    values: Annotated[dict[str, Any] | None, Field(description="The fields of the form, or changed arguments.")] = None
    why: Annotated[str, Field(max_length=10_000, description="The reason.")] = ""


class Cancel(_Arguments):
    """Cancel a run, whoever started it."""

    run_id: RunId
    reason: Annotated[str, Field(max_length=1_000)] = ""


GENERIC: Mapping[str, type[BaseModel]] = {
    "weft_start": Start,
    "weft_status": Status,
    "weft_result": Result,
    "weft_answer": Decide,
    "weft_cancel": Cancel,
}
"""The tools about runs, by name, with what they take."""
_LOOKS = frozenset({"weft_status", "weft_result"})
_TITLES = {
    "weft_start": "Start a run",
    "weft_status": "Where a run stands",
    "weft_result": "The answer of a run",
    "weft_answer": "Answer a gate",
    "weft_cancel": "Cancel a run",
}


def generic_tools() -> list[Tool]:
    """The tools about runs."""
    return [
        Tool(
            name=name,
            title=_TITLES[name],
            description=arguments.__doc__,
            input_schema=_plain(arguments.model_json_schema()),
            # A status may be that of one run or of several.
            output_schema=None if name == "weft_status" else run_schema(),
            annotations=ToolAnnotations(
                read_only_hint=name in _LOOKS,
                destructive_hint=None if name in _LOOKS else name != "weft_start",
                idempotent_hint=name != "weft_start",
                open_world_hint=name not in _LOOKS and name != "weft_cancel",
            ),
        )
        for name, arguments in GENERIC.items()
    ]


def tool_of(name: str, one: Published) -> Tool:
    """The tool that a workflow or an agent is."""
    harmless = _without_tools(one.workflow)
    return Tool(
        name=name,
        title=one.name,
        description=_description(one),
        input_schema=dict(one.input_schema),
        output_schema=run_schema(_response_schema(one)),
        annotations=ToolAnnotations(
            title=one.name,
            read_only_hint=False,
            destructive_hint=False if harmless else None,
            idempotent_hint=False,
            open_world_hint=not harmless,
        ),
    )


def _description(one: Published) -> str:
    own = one.description.strip() or f"Runs {one.name!r}."
    return f"{own}\n\n(A durable {one.kind} of Weft. If it has to wait for a person, the result says how to go on.)"


def _response_schema(one: Published) -> Mapping[str, Any] | None:
    """The form of the answer, where the file says it: that of an agent by itself."""
    agents = one.workflow.inline_agents()
    agent = agents.get(one.agent) or (next(iter(agents.values())) if one.kind == "agent" else None)
    schema = agent.output_schema if agent is not None else None
    # References of a schema start at its root: inside another one they would lead nowhere.
    return schema if isinstance(schema, Mapping) and "$ref" not in str(schema) else None


def _without_tools(workflow: Workflow) -> bool:
    own = any(getattr(workflow.tools, name) for name in type(workflow.tools).model_fields)
    return not own and all(_without_tools(one) for one in workflow.included.values())


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without what only repeats names."""
    schema.pop("title", None)
    schema.pop("description", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema
