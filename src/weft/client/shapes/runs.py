"""Written by scripts/client from the OpenAPI document. What ``runs`` answers with."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from weft.client.operation import Shape


class UsageView(Shape):
    """What was consumed. `cost_usd` is null when the price of a request is not known; `unpriced` counts those."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    tokens: int = 0
    """Input and output together."""
    cost_usd: str | None = None
    """US dollars, as a decimal text."""
    unpriced: int = 0


class ForkedFrom(Shape):
    """The event up to which a fork shares the past of a run."""

    run_id: str
    seq: int


class RunView(Shape):
    """One run with what it was given and what came out."""

    id: str
    workflow: str
    status: str
    driven: bool
    current: bool | None = None
    """Of a line of forks: whether it was made the current one; null where nobody asked."""
    session: str
    plan_hash: str
    events: int
    """How many events its journal has."""
    waits: list[dict[str, Any]]
    due: str | None = None
    """When a waiting run goes on by itself."""
    usage: UsageView
    error: dict[str, Any] | None = None
    parent: str | None = None
    """The run that has started it."""
    forked_from: ForkedFrom | None = None
    inputs: dict[str, Any]
    created_at: str
    updated_at: str
    outputs: Any = None


class RunItem(Shape):
    """One run as lists show it. `driven` says whether a live process drives it now, `waits` what it waits for."""

    id: str
    workflow: str
    status: str
    driven: bool
    current: bool | None = None
    """Of a line of forks: whether it was made the current one; null where nobody asked."""
    session: str
    plan_hash: str
    events: int
    """How many events its journal has."""
    waits: list[dict[str, Any]]
    due: str | None = None
    """When a waiting run goes on by itself."""
    usage: UsageView
    error: dict[str, Any] | None = None
    parent: str | None = None
    """The run that has started it."""
    forked_from: ForkedFrom | None = None
    inputs: dict[str, Any] | None = None
    """What it was given; in lists only where that is asked for."""
    created_at: str
    updated_at: str


class RunPage(Shape):
    """One page of runs, the newest first."""

    items: list[RunItem]
    next: str | None = None
    """The cursor of the next page."""


class RunDetail(Shape):
    """One run in full. `steps` is the tree of its steps; of each, empty fields are left out."""

    id: str
    workflow: str
    status: str
    driven: bool
    current: bool | None = None
    """Of a line of forks: whether it was made the current one; null where nobody asked."""
    session: str
    plan_hash: str
    events: int
    """How many events its journal has."""
    waits: list[dict[str, Any]]
    due: str | None = None
    """When a waiting run goes on by itself."""
    usage: UsageView
    error: dict[str, Any] | None = None
    parent: str | None = None
    """The run that has started it."""
    forked_from: ForkedFrom | None = None
    inputs: dict[str, Any]
    created_at: str
    updated_at: str
    outputs: Any = None
    steps: list[dict[str, Any]] = Field(default_factory=list)
    warnings: list[dict[str, Any]] = Field(default_factory=list)
    """Budgets that are nearly used up."""
    handoffs: list[list[dict[str, Any]]] = Field(default_factory=list)
    """Chains of delegation."""
    milestones: list[dict[str, Any]] = Field(default_factory=list)
    made_plans: list[dict[str, Any]] = Field(default_factory=list)
    """Plans that were made in it."""
    inherited: UsageView = UsageView()
    """Of a fork: what its shared past has cost."""


class Gone(Shape):
    """What has been removed."""

    gone: list[str]
    """The ids."""


class EventView(Shape):
    """One fact in a run's journal. `path` names its step and is empty for the run itself."""

    run_id: str
    seq: int
    at: str
    kind: str
    path: str
    data: Any
    hash: str


class EventPage(Shape):
    """Some events of a run, oldest first. With `next` as `after`, the next page; null when there are no more yet."""

    items: list[EventView]
    next: int | None = None


class WakeSource(Shape):
    """One thing that can move a run on. `fix` says what a person can do."""

    kind: str
    text: str
    path: str = ""
    due: str | None = None
    """When it comes by itself."""
    fix: str = ""


class Why(Shape):
    """What an open run waits for; nothing when it has ended."""

    status: str
    sources: list[WakeSource]


class RowFlaw(Shape):
    """A field of a run's row that is not what the events say: `stored` is what the row has, `told` what event `seq` says."""

    field: str
    at: str = ""
    """A JSON pointer to the part that differs, where it is not the whole field."""
    stored: str
    told: str
    seq: int
    kind: str


class Verified(Shape):
    """What the proof of a run found. `bad_seq` is the first event that is not what was appended."""

    intact: bool
    events: int
    bad_seq: int | None = None
    reason: str = ""
    erased: int = 0
    """Events whose content was erased; the chain still holds."""
    row: list[RowFlaw] = Field(default_factory=list)
    """What of the run's row is not as its events say."""
    unproven: list[str] = Field(default_factory=list)
    """Fields of the row of which the events say nothing that can be read."""


class RunPlan(Shape):
    """The plan of a run."""

    workflow: str
    plan_hash: str
    plan: dict[str, Any]


class IterationView(Shape):
    """One request to a model within a step: what it thought and said, and the tools that it called with what it learned."""

    path: str
    agent: str
    iteration: int
    thought: str = ""
    said: str = ""
    actions: list[dict[str, Any]]
    shortened: bool = False
    """The conversation was shortened before it."""


class IterationPage(Shape):
    """Some iterations of the agents of a run, in order."""

    items: list[IterationView]
    next: str | None = None
    """The cursor of the next page."""


class DiffLine(Shape):
    """One path in both runs; the empty path is the runs themselves."""

    path: str
    change: str
    first: dict[str, Any] | None = None
    second: dict[str, Any] | None = None


class DiffPage(Shape):
    """Two runs side by side, path by path. Times make no difference."""

    items: list[DiffLine]
    next: str | None = None
    """The cursor of the next page."""
    first: str
    second: str
    same: int
    """How many paths are the same."""
    different: int
    """How many are not."""


class Replayed(Shape):
    """What a replay found. `derived` of the `events` came out of the plan again; the rest was taken as recorded."""

    same: bool
    events: int
    derived: int
    first_difference: dict[str, Any] | None = None


class SignalSent(Shape):
    """Whether a signal was new."""

    name: str
    key: str
    new: bool


class ArtifactView(Shape):
    """One file that a run has written."""

    path: str
    """Where it is in the run's output folder; `download` takes it."""
    bytes: int
    sha256: str
    type: str
    step: str
    written_at: str
    there: bool
    """Whether the file is still there."""


class ArtifactPage(Shape):
    """Some files of a run, by path."""

    items: list[ArtifactView]
    next: str | None = None
    """The cursor of the next page."""
