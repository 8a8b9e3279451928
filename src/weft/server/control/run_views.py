"""Runs as the API shows them. Times are ISO 8601 in UTC, with all that the journal knows of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weft.core.clock import exact_iso
from weft.core.event import Event
from weft.core.usage import Usage
from weft.server.control.pages import Page
from weft.store.runs import Run

Status = Literal["queued", "running", "waiting", "stalled", "completed", "failed", "cancelled"]

_RUN: dict[str, Any] = {
    "id": "01a228ef-7d43-7131-b584-c92df5576c90",
    "workflow": "brief",
    "status": "completed",
    "driven": False,
    "session": "",
    "plan_hash": "737e5007da0cac10af2dee1ca5e1590c756617ec40aa3ca079c42c159130300c",
    "events": 14,
    "waits": [],
    "due": None,
    "usage": {"requests": 1, "input_tokens": 21, "output_tokens": 29, "tokens": 50, "cost_usd": "0", "unpriced": 0},
    "error": None,
    "parent": None,
    "forked_from": None,
    "created_at": "2026-11-29T20:35:56.529114Z",
    "updated_at": "2026-11-29T20:35:57.493807Z",
}


class UsageView(BaseModel):
    """What was consumed. `cost_usd` is null when the price of a request is not known; `unpriced` counts those."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    tokens: int = Field(default=0, description="Input and output together.")
    cost_usd: str | None = Field(default=None, description="US dollars, as a decimal text.")
    unpriced: int = 0


_FIGURES = UsageView.model_fields.keys() - {"cost_usd", "tokens"}


def usage_view(usage: Usage) -> UsageView:
    """Consumption as the API shows it."""
    figures = {name: getattr(usage, name) for name in _FIGURES}
    return UsageView(**figures, tokens=usage.tokens, cost_usd=None if usage.unpriced else f"{usage.cost:f}")


class ForkedFrom(BaseModel):
    """The event up to which a fork shares the past of a run."""

    run_id: str
    seq: int


class RunItem(BaseModel):
    """One run as lists show it. `driven` says whether a live process drives it now, `waits` what it waits for."""

    model_config = ConfigDict(json_schema_extra={"example": _RUN})

    id: str
    workflow: str
    status: Status
    driven: bool
    current: bool | None = Field(
        default=None, description="Of a line of forks: whether it was made the current one; null where nobody asked."
    )
    session: str
    plan_hash: str
    events: int = Field(description="How many events its journal has.")
    waits: list[dict[str, Any]]
    due: str | None = Field(default=None, description="When a waiting run goes on by itself.")
    usage: UsageView
    error: dict[str, Any] | None = None
    parent: str | None = Field(default=None, description="The run that has started it.")
    forked_from: ForkedFrom | None = None
    inputs: dict[str, Any] | None = Field(
        default=None, description="What it was given; in lists only where that is asked for."
    )
    created_at: str
    updated_at: str


class RunPage(Page[RunItem]):
    """One page of runs, the newest first."""


class RunView(RunItem):
    """One run with what it was given and what came out."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**_RUN, "inputs": {"text": "Rain fell."}, "outputs": {"response": "It rained."}}}
    )

    inputs: dict[str, Any]
    outputs: Any = None


class RunDetail(RunView):
    """One run in full. `steps` is the tree of its steps; of each, empty fields are left out."""

    steps: list[dict[str, Any]] = Field(default_factory=list)
    warnings: list[dict[str, Any]] = Field(default_factory=list, description="Budgets that are nearly used up.")
    handoffs: list[list[dict[str, Any]]] = Field(default_factory=list, description="Chains of delegation.")
    milestones: list[dict[str, Any]] = Field(default_factory=list)
    made_plans: list[dict[str, Any]] = Field(default_factory=list, description="Plans that were made in it.")
    inherited: UsageView = Field(default_factory=UsageView, description="Of a fork: what its shared past has cost.")


class EventView(BaseModel):
    """One fact in a run's journal. `path` names its step and is empty for the run itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "run_id": _RUN["id"],
                "seq": 2,
                "at": "2026-11-29T20:35:56.529114Z",
                "kind": "run.started",
                "path": "",
                "data": {"epoch": 1, "resumed": False},
                "hash": "baa1703ff6e33a63e0970212c064bad626208425b8591125a61440da09a8ebd8",
            }
        }
    )

    run_id: str
    seq: int
    at: str
    kind: str
    path: str
    data: Any
    hash: str


class EventPage(BaseModel):
    """Some events of a run, oldest first. With `next` as `after`, the next page; null when there are no more yet."""

    items: list[EventView]
    next: int | None = None


def run_facts(run: Run, *, current: bool | None = None) -> dict[str, Any]:
    """What every view of a run shows."""
    return {
        "id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "driven": run.driven,
        "current": current,
        "session": run.session,
        "plan_hash": run.plan_hash,
        "events": run.head_seq,
        "waits": list(run.waits),
        "usage": usage_view(run.usage),
        "error": run.error,
        "parent": run.parent,
        "forked_from": None if run.base_run is None else ForkedFrom(run_id=run.base_run, seq=run.base_seq or 0),
        "due": None if run.due is None else exact_iso(run.due),
        "created_at": exact_iso(run.created_at),
        "updated_at": exact_iso(run.updated_at),
    }


def run_view(run: Run, *, current: bool | None = None) -> RunView:
    """A run with its inputs and outputs."""
    return RunView(**run_facts(run, current=current), inputs=run.inputs, outputs=run.outputs)


def event_view(event: Event) -> EventView:
    """An event as the API shows it."""
    return EventView(**event.as_json() | {"at": exact_iso(event.at)})
