"""Written by scripts/client from the OpenAPI document. Calls of ``runs``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Unpack

from weft.client import operations
from weft.client.given.runs import (
    Cancelling,
    Forking,
    Rerunning,
    Resuming,
    RunsArtifactsQuery,
    RunsDiffQuery,
    RunsEventsQuery,
    RunsListQuery,
    RunsReasoningQuery,
    RunsShowQuery,
    RunsStreamQuery,
    SendSignal,
    StartRun,
)
from weft.client.items import AsyncItems
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.runs import (
    ArtifactPage,
    ArtifactView,
    DiffLine,
    DiffPage,
    EventPage,
    EventView,
    Gone,
    IterationPage,
    IterationView,
    Replayed,
    RunDetail,
    RunItem,
    RunPage,
    RunPlan,
    RunView,
    SignalSent,
    Verified,
    Why,
)
from weft.client.streaming import Envelope


class AsyncRuns:
    """The operations of ``runs``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def start(self, *, idempotency_key: str | None = None, **body: Unpack[StartRun]) -> RunView:
        """Start a run. With an `Idempotency-Key`, the same request again within a day is answered with the same run."""
        return await self._line.send(
            Call(answer=RunView, operation=operations.RUNS_START, key=idempotency_key, body=dict(body))
        )

    def list(self, **query: Unpack[RunsListQuery]) -> AsyncItems[RunItem, RunPage]:
        """Runs, the newest first. Forks say what they were forked from."""
        return AsyncItems(self._line, Call(answer=RunPage, operation=operations.RUNS_LIST, query=dict(query)), "cursor")

    async def show(self, run_id: str, /, **query: Unpack[RunsShowQuery]) -> RunDetail:
        """One run in full: inputs, outputs and the tree of its steps."""
        return await self._line.send(
            Call(answer=RunDetail, operation=operations.RUNS_SHOW, path={"run_id": run_id}, query=dict(query))
        )

    async def delete(self, run_id: str, /) -> Gone:
        """Remove a run that has ended, with the runs that it has started. Its artifacts stay."""
        return await self._line.send(Call(answer=Gone, operation=operations.RUNS_DELETE, path={"run_id": run_id}))

    def events(self, run_id: str, /, **query: Unpack[RunsEventsQuery]) -> AsyncItems[EventView, EventPage]:
        """The events of a run, the oldest first."""
        return AsyncItems(
            self._line,
            Call(answer=EventPage, operation=operations.RUNS_EVENTS, path={"run_id": run_id}, query=dict(query)),
            "after",
        )

    def stream(self, run_id: str, /, **query: Unpack[RunsStreamQuery]) -> AsyncGenerator[Envelope]:
        """What has happened to a run and what comes, as Server-Sent Events, until it ends."""
        return self._line.stream(
            Call(answer=Envelope, operation=operations.RUNS_STREAM, path={"run_id": run_id}, query=dict(query)),
            ends=True,
        )

    async def cancel(self, run_id: str, /, **body: Unpack[Cancelling]) -> RunView:
        """Cancel a run, whoever drives it. One that had ended stays as it is."""
        return await self._line.send(
            Call(answer=RunView, operation=operations.RUNS_CANCEL, path={"run_id": run_id}, body=dict(body))
        )

    async def why(self, run_id: str, /) -> Why:
        """What a run is waiting for, and what can be done about it."""
        return await self._line.send(Call(answer=Why, operation=operations.RUNS_WHY, path={"run_id": run_id}))

    async def verify(self, run_id: str, /) -> Verified:
        """Prove a run: whether every event is what was appended, and its row what the events say."""
        return await self._line.send(Call(answer=Verified, operation=operations.RUNS_VERIFY, path={"run_id": run_id}))

    async def plan(self, run_id: str, /) -> RunPlan:
        """The plan that a run was started with, as data."""
        return await self._line.send(Call(answer=RunPlan, operation=operations.RUNS_PLAN, path={"run_id": run_id}))

    async def trace(self, run_id: str, /) -> dict[str, Any]:
        """The trace of a run as spans with parents, secrets out."""
        return await self._line.send(
            Call(answer=dict[str, Any], operation=operations.RUNS_TRACE, path={"run_id": run_id})
        )

    def reasoning(
        self, run_id: str, /, **query: Unpack[RunsReasoningQuery]
    ) -> AsyncItems[IterationView, IterationPage]:
        """How the agents of a run came to their answers: thought, action and observation, secrets out."""
        return AsyncItems(
            self._line,
            Call(answer=IterationPage, operation=operations.RUNS_REASONING, path={"run_id": run_id}, query=dict(query)),
            "cursor",
        )

    def diff(self, run_id: str, /, **query: Unpack[RunsDiffQuery]) -> AsyncItems[DiffLine, DiffPage]:
        """Compare a run with another one: status, value, consumption and duration of each path."""
        return AsyncItems(
            self._line,
            Call(answer=DiffPage, operation=operations.RUNS_DIFF, path={"run_id": run_id}, query=dict(query)),
            "cursor",
        )

    async def replay(self, run_id: str, /) -> Replayed:
        """Walk a run's plan again over its journal, performing nothing, and see whether the same events come out."""
        return await self._line.send(Call(answer=Replayed, operation=operations.RUNS_REPLAY, path={"run_id": run_id}))

    async def resume(self, run_id: str, /, **body: Unpack[Resuming]) -> RunView:
        """Make a run go on where it stopped; one that a live process drives goes on anyway."""
        return await self._line.send(
            Call(answer=RunView, operation=operations.RUNS_RESUME, path={"run_id": run_id}, body=dict(body))
        )

    async def fork(self, run_id: str, /, **body: Unpack[Forking]) -> RunView:
        """Start a new run that shares the past of this one; it costs the same however long that past is."""
        return await self._line.send(
            Call(answer=RunView, operation=operations.RUNS_FORK, path={"run_id": run_id}, body=dict(body))
        )

    async def rerun(self, run_id: str, /, **body: Unpack[Rerunning]) -> RunView:
        """Do a run again from a step on, as a new run that shares what came before it."""
        return await self._line.send(
            Call(answer=RunView, operation=operations.RUNS_RERUN, path={"run_id": run_id}, body=dict(body))
        )

    async def promote(self, run_id: str, /) -> RunView:
        """Make a run the current one of its line: the run that it and its siblings were forked from, and all of those."""
        return await self._line.send(Call(answer=RunView, operation=operations.RUNS_PROMOTE, path={"run_id": run_id}))

    async def discard(self, run_id: str, /) -> Gone:
        """Drop a fork and the runs that it has started, for good. Refused while it is driven or others build on it."""
        return await self._line.send(Call(answer=Gone, operation=operations.RUNS_DISCARD, path={"run_id": run_id}))

    async def signal(self, run_id: str, /, **body: Unpack[SendSignal]) -> SignalSent:
        """Send a signal to a run, which keeps it until a step waits for it."""
        return await self._line.send(
            Call(answer=SignalSent, operation=operations.RUNS_SIGNAL, path={"run_id": run_id}, body=dict(body))
        )

    def artifacts(self, run_id: str, /, **query: Unpack[RunsArtifactsQuery]) -> AsyncItems[ArtifactView, ArtifactPage]:
        """The files that a run has written."""
        return AsyncItems(
            self._line,
            Call(answer=ArtifactPage, operation=operations.RUNS_ARTIFACTS, path={"run_id": run_id}, query=dict(query)),
            "cursor",
        )

    async def download(self, run_id: str, path: str, /) -> bytes:
        """One file that a run has written, to be saved: never a page, whatever it holds."""
        return await self._line.download(
            Call(answer=bytes, operation=operations.RUNS_DOWNLOAD, path={"run_id": run_id, "path": path})
        )
