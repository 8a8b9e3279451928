"""Written by scripts/client from the OpenAPI document. What ``workflows`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class WorkflowItem(Shape):
    """Something that can be run: a workflow. `version` is 0 for one that stands in a folder of the service."""

    name: str
    kind: str
    description: str = ""
    version: int
    pattern: str
    agents: list[str]
    main_input: str | None = None
    """The input that a plain message fills."""
    changed_at: str


class WorkflowPage(Shape):
    """Some workflows, by name."""

    items: list[WorkflowItem]
    next: str | None = None
    """The cursor of the next page."""


class WorkflowView(Shape):
    """A workflow in full. `input_schema` is the JSON Schema of what it takes."""

    name: str
    kind: str
    description: str = ""
    version: int
    pattern: str
    agents: list[str]
    main_input: str | None = None
    """The input that a plain message fills."""
    changed_at: str
    input_schema: dict[str, Any]
    source: str
    hash: str
    """SHA-256 of the source."""
    plan_hash: str | None = None
    """Null when it cannot be planned."""


class ProblemView(Shape):
    """One finding about a workflow, with its place."""

    rule: str
    severity: str
    message: str
    fix: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    pointer: str | None = None
    path: str | None = None


class Validated(Shape):
    """What a look at a workflow found. Warnings alone leave it valid."""

    valid: bool
    workflow: str
    plan_hash: str | None = None
    problems: list[ProblemView]


class VersionItem(Shape):
    """One registered version. Its text never changes."""

    name: str
    version: int
    hash: str
    note: str
    by: str
    created_at: str


class VersionPage(Shape):
    """Some versions of a workflow, the newest first."""

    items: list[VersionItem]
    next: str | None = None
    """The cursor of the next page."""


class VersionDiff(Shape):
    """How two versions of a workflow differ. `diff` is a unified diff of their texts."""

    name: str
    first: int
    second: int
    same: bool
    same_plan: bool | None
    """Whether both do the same; null when one cannot be planned any more."""
    added: int
    removed: int
    diff: str


class PlanView(Shape):
    """The plan that a workflow compiles into: as data (`plan`), or drawn (`picture`)."""

    workflow: str
    plan_hash: str
    format: str
    plan: dict[str, Any] | None = None
    picture: str | None = None


class Range(Shape):
    """At least and at most; `high` is null where nobody can say before the run."""

    low: int
    high: int | None


class StepEstimate(Shape):
    """How often one thing is done."""

    low: int
    high: int | None
    kind: str
    name: str


class ModelEstimate(Shape):
    """What goes to one model, and its list price in US dollars per million tokens; null when that is not known."""

    model: str
    requests: Range
    output_tokens_at_most: int | None
    """Null where an agent has no `max_tokens`."""
    input_usd_per_million: str | None
    output_usd_per_million: str | None


class LimitsView(Shape):
    """The budgets of the workflow. No request starts at or above one; those in flight may go over it."""

    max_tokens: int | None
    max_cost_usd: str | None
    max_steps: int | None
    max_duration_s: float | None


class Spread(Shape):
    """Lowest, middle and highest."""

    low: float
    median: float
    high: float


class Measured(Shape):
    """What the latest completed runs of this very plan have taken. `cost_usd` is null when the price of one is not known."""

    runs: int
    tokens: Spread
    duration_s: Spread
    """From creation to end, waits included."""
    cost_usd: Spread | None


class Estimate(Shape):
    """What a run may take if nothing is tried again: bounds that follow from the plan, its limits, and what was measured. Nothing here is guessed: what the plan does not bound is in `open`, and `measured` is null before there was a run."""

    workflow: str
    plan_hash: str
    calls: dict[str, Range]
    """Steps by kind."""
    steps: list[StepEstimate]
    models: list[ModelEstimate]
    limits: LimitsView
    unpriced: list[str]
    """Models whose price is not known."""
    open: list[str]
    """What has no upper bound before the run."""
    measured: Measured | None = None


class Previewed(Shape):
    """What the rules make of a request: drafts with what they take, questions back, and what no agent can do."""

    workflow: str
    request: str
    writer: str | None = None
    """The agent that writes the plan at run time instead."""
    drafts: list[dict[str, Any]]
    questions: list[dict[str, Any]]
    missing: list[str]


class Unregistered(Shape):
    """How many versions of a workflow are gone."""

    name: str
    versions: int
