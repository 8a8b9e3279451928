"""Workflows as the API takes and shows them."""

from __future__ import annotations

import json
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from weft.app.serving.library import MAX_SOURCE, Published
from weft.core.clock import iso
from weft.core.errors import Problem
from weft.server.control.pages import Page
from weft.server.control.routes import MAX_INT

_TEXT = """version: 0
name: tiny
runtime: {provider: offline}
inputs: {required: {text: string}}
agents:
  writer: {prompt: Summarise the text.}
pattern: {type: chain, config: {steps: [{agent: writer, input: "{{ text }}"}]}}
"""
YAML_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            kind: {"schema": {"type": "string", "maxLength": MAX_SOURCE}, "example": _TEXT}
            for kind in ("application/yaml", "text/yaml")
        }
    }
}
"""What an operation takes beside JSON: the text itself."""


class WorkflowText(BaseModel):
    """A workflow: its text (YAML or JSON), or the document as an object. As `application/yaml`, the body is the text itself."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"source": _TEXT, "note": "shorter prompt"}}
    )

    source: str | None = Field(default=None, min_length=1, max_length=MAX_SOURCE)
    document: dict[str, Any] | None = None
    note: str = Field(default="", max_length=2_000, description="What this version is about.")

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: Any) -> Any:
        # Bytes are the body of a request whose type is not JSON.
        return {"source": data.decode("utf-8-sig")} if isinstance(data, bytes) else data

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.source is None) == (self.document is None):
            raise ValueError("give either the source or the document")
        return self

    @property
    def text(self) -> str:
        """The text that is kept."""
        return self.source if self.source is not None else json.dumps(self.document, indent=2, ensure_ascii=False)


class ProblemView(BaseModel):
    """One finding about a workflow, with its place."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "rule": "unknown-key",
                "severity": "error",
                "message": "`promt` is not known here",
                "fix": "did you mean `prompt`?",
                "line": 6,
                "column": 12,
                "pointer": "/agents/writer/promt",
            }
        }
    )

    rule: str
    severity: str
    message: str
    fix: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: str | None = None
    path: str | None = None


class Validated(BaseModel):
    """What a look at a workflow found. Warnings alone leave it valid."""

    valid: bool
    workflow: str
    plan_hash: str | None = None
    problems: list[ProblemView]


class WorkflowItem(BaseModel):
    """Something that can be run: a workflow. `version` is 0 for one that stands in a folder of the service."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "tiny",
                "kind": "workflow",
                "description": "Summarises a text.",
                "version": 2,
                "pattern": "chain",
                "agents": ["writer"],
                "main_input": "text",
                "changed_at": "2026-11-29T20:35:56.529Z",
            }
        }
    )

    name: str
    kind: Literal["workflow", "agent"]
    description: str = ""
    version: int
    pattern: str
    agents: list[str]
    main_input: str | None = Field(default=None, description="The input that a plain message fills.")
    changed_at: str


class WorkflowPage(Page[WorkflowItem]):
    """Some workflows, by name."""


class WorkflowView(WorkflowItem):
    """A workflow in full. `input_schema` is the JSON Schema of what it takes."""

    input_schema: dict[str, Any]
    source: str
    hash: str = Field(description="SHA-256 of the source.")
    plan_hash: str | None = Field(default=None, description="Null when it cannot be planned.")


class VersionItem(BaseModel):
    """One registered version. Its text never changes."""

    name: str
    version: int
    hash: str
    note: str
    by: str
    created_at: str


class VersionPage(Page[VersionItem]):
    """Some versions of a workflow, the newest first."""


class VersionDiff(BaseModel):
    """How two versions of a workflow differ. `diff` is a unified diff of their texts."""

    name: str
    first: int
    second: int
    same: bool
    same_plan: bool | None = Field(description="Whether both do the same; null when one cannot be planned any more.")
    added: int
    removed: int
    diff: str


class DiffVersions(BaseModel):
    """Which versions."""

    model_config = ConfigDict(extra="forbid")

    first: int = Field(ge=1, le=MAX_INT)
    second: int = Field(ge=1, le=MAX_INT)


class WhichPlan(BaseModel):
    """Of which version, and in which form."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(default=None, ge=1, le=MAX_INT)
    format: Literal["json", "mermaid", "dot", "tree"] = "json"


class PlanView(BaseModel):
    """The plan that a workflow compiles into: as data (`plan`), or drawn (`picture`)."""

    workflow: str
    plan_hash: str
    format: Literal["json", "mermaid", "dot", "tree"]
    plan: dict[str, Any] | None = None
    picture: str | None = None


class Range(BaseModel):
    """At least and at most; `high` is null where nobody can say before the run."""

    low: int
    high: int | None


class StepEstimate(Range):
    """How often one thing is done."""

    kind: str
    name: str


class ModelEstimate(BaseModel):
    """What goes to one model, and its list price in US dollars per million tokens; null when that is not known."""

    model: str
    requests: Range
    output_tokens_at_most: int | None = Field(description="Null where an agent has no `max_tokens`.")
    input_usd_per_million: str | None
    output_usd_per_million: str | None


class LimitsView(BaseModel):
    """The budgets of the workflow. No request starts at or above one; those in flight may go over it."""

    max_tokens: int | None
    max_cost_usd: str | None
    max_steps: int | None
    max_duration_s: float | None


class Spread(BaseModel):
    """Lowest, middle and highest."""

    low: float
    median: float
    high: float


class Measured(BaseModel):
    """What the latest completed runs of this very plan have taken. `cost_usd` is null when the price of one is not known."""

    runs: int
    tokens: Spread
    duration_s: Spread = Field(description="From creation to end, waits included.")
    cost_usd: Spread | None


class Estimate(BaseModel):
    """What a run may take if nothing is tried again: bounds that follow from the plan, its limits, and what was measured.

    Nothing here is guessed: what the plan does not bound is in `open`, and `measured` is null before there was a run.
    """

    workflow: str
    plan_hash: str
    calls: dict[str, Range] = Field(description="Steps by kind.")
    steps: list[StepEstimate]
    models: list[ModelEstimate]
    limits: LimitsView
    unpriced: list[str] = Field(description="Models whose price is not known.")
    open: list[str] = Field(description="What has no upper bound before the run.")
    measured: Measured | None = None


class Estimating(BaseModel):
    """Of which version."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"version": 2}})

    version: int | None = Field(default=None, ge=1, le=MAX_INT)


class Preview(BaseModel):
    """A request to a workflow that makes its plan at run time."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"request": "Compare the two reports and write a summary."}}
    )

    request: str = Field(min_length=1, max_length=200_000)


class Previewed(BaseModel):
    """What the rules make of a request: drafts with what they take, questions back, and what no agent can do."""

    workflow: str
    request: str
    writer: str | None = Field(default=None, description="The agent that writes the plan at run time instead.")
    drafts: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    missing: list[str]


class Unregistered(BaseModel):
    """How many versions of a workflow are gone."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "tiny", "versions": 2}})

    name: str
    versions: int


def item_facts(one: Published) -> dict[str, Any]:
    """What every view of a workflow shows."""
    return {
        "name": one.name,
        "kind": one.kind,
        "description": one.description,
        "version": one.version,
        "pattern": one.workflow.pattern.type,
        "agents": sorted(one.workflow.agents),
        "main_input": one.main_input,
        "changed_at": iso(one.changed_at),
    }


def problem_view(problem: Problem) -> ProblemView:
    """A finding as the API shows it."""
    return ProblemView(**problem.as_json())
