"""Written by scripts/client from the OpenAPI document. What ``runs`` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict


class StartRun(TypedDict):
    """What a run is started with."""

    workflow: str
    """A workflow, or an agent as `workflow/agent`."""
    version: NotRequired[int | None]
    """A registered version; the newest by default."""
    inputs: NotRequired[Mapping[str, Any]]
    """The inputs by name."""
    session: NotRequired[str]
    """The conversation that the run belongs to."""
    queued: NotRequired[bool]
    """Only put it into the queue, where a worker takes it up."""


class Cancelling(TypedDict):
    """Why a run is cancelled."""

    reason: NotRequired[str]
    """It is kept in the journal."""


class Resuming(TypedDict):
    """How a run goes on."""

    reopen: NotRequired[bool]
    """Also when it has failed or was cancelled."""
    settle: NotRequired[Mapping[str, Literal["yes", "no"]]]
    """Of steps in doubt: whether they happened."""


class Forking(TypedDict):
    """Where and how a run is forked. `at` is the end of a step, or the number of an event; where it stands by default."""

    at: NotRequired[str | int | None]
    set: NotRequired[Mapping[str, str]]
    """New values, as texts: of the run (`topic`) or of a recorded step (`/draft.response`)."""
    drive: NotRequired[bool]
    """Make it go at once; else only a `resume` does."""


class Rerunning(TypedDict):
    """From which step on a run is done again."""

    step: str
    set: NotRequired[Mapping[str, str]]
    """New values, as texts: of the run (`topic`) or of a recorded step (`/draft.response`)."""
    drive: NotRequired[bool]
    """Make it go at once; else only a `resume` does."""


class SendSignal(TypedDict):
    """A signal. Sent again under the same key, it counts once."""

    name: str
    data: NotRequired[Any]
    key: NotRequired[str | None]


class RunsListQuery(TypedDict):
    """What `runs.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
    status: NotRequired[
        Sequence[Literal["queued", "running", "waiting", "stalled", "completed", "failed", "cancelled"]]
    ]
    """Of one of these; any by default."""
    workflow: NotRequired[str | None]
    session: NotRequired[str | None]
    parent: NotRequired[str | None]
    """Those that this run has started."""
    forked_from: NotRequired[str | None]
    """Those that share the past of this run."""
    children: NotRequired[bool]
    """Also runs that other runs have started."""
    since: NotRequired[datetime | str | None]
    """Created then or later."""
    until: NotRequired[datetime | str | None]
    """Created before then."""
    id: NotRequired[str | None]
    """Part of the id."""
    before: NotRequired[str | None]
    """Only those older than the run with this id."""
    inputs: NotRequired[bool]
    """Also what each was given."""


class RunsShowQuery(TypedDict):
    """What `runs.show` asks for."""

    at: NotRequired[int | None]
    """As it was just after this event."""
    steps: NotRequired[bool]
    """With the tree of its steps."""


class RunsEventsQuery(TypedDict):
    """What `runs.events` asks for."""

    after: NotRequired[int]
    """Only those after this one."""
    limit: NotRequired[int]


class RunsStreamQuery(TypedDict):
    """What `runs.stream` asks for."""

    after: NotRequired[int]
    """Only what comes after this event."""


class RunsReasoningQuery(TypedDict):
    """What `runs.reasoning` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""


class RunsDiffQuery(TypedDict):
    """What `runs.diff` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
    other: str
    """The id of the other run."""
    all: NotRequired[bool]
    """Also what is the same."""


class RunsArtifactsQuery(TypedDict):
    """What `runs.artifacts` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
