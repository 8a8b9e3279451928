"""Runs of a service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from itertools import islice
from typing import Any

from weft.app.reasoning import Iteration
from weft.app.service import NewFork, Settled
from weft.bus.envelope import Envelope
from weft.cli.remote.lines import Lines
from weft.cli.remote.records import event_of, iteration_of, line_of, run_of, source_of, usage_of
from weft.client.given.runs import Resuming, RunsListQuery
from weft.core.errors import ConflictError, InputError, NotFoundError, from_json
from weft.core.event import Event
from weft.engine.diff import Line
from weft.engine.ending import RunResult
from weft.engine.replayed import Difference, Replayed
from weft.engine.why import WakeSource
from weft.plan import codec
from weft.plan.nodes import Plan
from weft.store.history import RowFlaw, Verdict
from weft.store.runs import Run

_PAGE = 200
_PAUSES = frozenset({"run.waiting", "run.stalled"})


class RemoteRuns:
    """What `Service` asks of runs."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._client = lines.client
        self._current: set[str] = set()
        self._settled: dict[str, dict[str, Settled]] = {}

    async def drive(self, run_id: str, *, reopen: bool = False) -> RunResult:
        """Have the service drive a run, and watch it until it ends or waits."""
        after = self._lines.going.pop(run_id, None)
        if after is None:
            run = self.find(run_id)
            if run.ended and (run.status == "completed" or not reopen):
                raise ConflictError(
                    f"the run has ended ({run.status})", fix=f"`weft show {run_id}` shows it", run=run_id
                )
            after = run.head_seq
            body: Resuming = {"reopen": reopen, "settle": self._settled.pop(run_id, {})}
            await self._lines.waiting.runs.resume(run_id, **body)
        last = await self._lines.until_it_stops(run_id, after)
        if last is None:
            raise NotFoundError(f"there is no run {run_id!r} any more", fix="`weft runs list` shows the runs")
        shown = await self._lines.waiting.runs.show(run_id, steps=False)
        data: Mapping[str, Any] = last.data
        return RunResult(
            run_id=run_id,
            status=last.kind.removeprefix("run."),
            outputs=shown.outputs if last.kind == "run.completed" else None,
            error=from_json(data["error"]) if data.get("error") else None,
            waits=tuple(data.get("waits") or ()),
            usage=usage_of(shown.usage),
        )

    async def resume(self, run_id: str, *, reopen: bool, settle: Mapping[str, Settled]) -> None:
        """See `Service.resume`: the service is told when the run goes on."""
        del reopen
        self._settled[run_id] = dict(settle)

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """See `Service.cancel`."""
        if self.find(run_id).ended:
            return False
        await self._lines.waiting.runs.cancel(run_id, reason=reason)
        return True

    def find(self, text: str) -> Run:
        """See `Service.find`."""
        if text == "last":
            newest = self.runs(limit=1)
            if not newest:
                raise NotFoundError("there are no runs yet", fix="`weft run FILE` starts one")
            return newest[0]
        asked = self._client.runs.list(id=text, children=True, inputs=True, limit=_PAGE) if text else ()
        found = [run_of(one) for one in islice(asked, _PAGE) if one.id.startswith(text) or one.id.endswith(text)]
        found = [run for run in found if run.id == text] or sorted(found, key=lambda run: run.id)
        if not found:
            raise NotFoundError(f"there is no run {text!r}", fix="`weft runs list` shows the runs", run=text)
        if len(found) > 1:
            fitting = ", ".join(run.id for run in found[:5])
            raise InputError(f"{text!r} fits several runs: {fitting}", fix="give more of the id")
        return found[0]

    def runs(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        limit: int = 50,
        before: Run | None = None,
        children: bool = True,
    ) -> list[Run]:
        """See `Service.runs`."""
        query: RunsListQuery = {"children": children, "inputs": True, "limit": min(limit, _PAGE)}
        if status is not None:
            query["status"] = [status]  # type: ignore[list-item]  # the command has checked it
        if before is not None:
            query["before"] = before.id
        if workflow is not None:
            query["workflow"] = workflow
        found = list(islice(self._client.runs.list(**query), limit))
        self._current |= {one.id for one in found if one.current}
        return [run_of(one) for one in found]

    def current(self) -> frozenset[str]:
        """Of the runs that were listed, those that are the current ones of their lines."""
        return frozenset(self._current)

    async def fork(
        self,
        run_id: str,
        *,
        at: str | None = None,
        before: str | None = None,
        changes: Mapping[str, str],
        new: NewFork | None = None,
    ) -> str:
        """See `Service.fork`; where it writes its files is for the service to say."""
        del new
        runs = self._lines.waiting.runs
        if before is not None:
            return (await runs.rerun(run_id, step=before, set=changes, drive=False)).id
        place = int(at) if at is not None and at.isdecimal() else at
        return (await runs.fork(run_id, at=place, set=changes, drive=False)).id

    def diff(self, first: str, second: str) -> list[Line]:
        """See `Service.diff`."""
        return [line_of(one) for one in self._client.runs.diff(first, other=second, all=True, limit=_PAGE)]

    async def replay(self, run_id: str) -> Replayed:
        """See `Service.replay`."""
        found = await self._lines.waiting.runs.replay(run_id)
        first = None if found.first_difference is None else Difference(**found.first_difference)
        return Replayed(run_id=run_id, events=found.events, derived=found.derived, difference=first)

    async def promote(self, run_id: str) -> None:
        """See `Service.promote`."""
        await self._lines.waiting.runs.promote(run_id)

    async def discard(self, run_id: str) -> list[str]:
        """See `Service.discard`."""
        return (await self._lines.waiting.runs.discard(run_id)).gone

    async def delete(self, run_id: str) -> list[str]:
        """See `Service.delete`."""
        return (await self._lines.waiting.runs.delete(run_id)).gone

    def events(self, run_id: str, *, after: int = 0) -> list[Event]:
        """See `Service.events`."""
        return self._lines.events(run_id, after)

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """See `Service.follow`."""
        async for view in self._lines.waiting.runs.events(run_id, after=after, limit=_PAGE):
            after = view.seq
            yield event_of(view)
        run = await asyncio.to_thread(self.find, run_id)
        if run.head_seq <= after and (run.ended or run.status in {"waiting", "stalled"}):
            return
        async with aclosing(self._live(run_id, after)) as envelopes:
            async for envelope in envelopes:
                if isinstance(envelope.data, Event):
                    yield envelope.data
                    if envelope.type in _PAUSES and self.find(run_id).head_seq <= envelope.seq:
                        return

    def live(self, run_id: str) -> AsyncIterator[Envelope]:
        """See `Service.live`: from the last event that was read."""
        return self._live(run_id, None)

    async def _live(self, run_id: str, after: int | None) -> AsyncGenerator[Envelope]:
        # Where it begins is looked up when it begins: until then, what has happened before is read.
        begin = self._lines.read.get(run_id, 0) if after is None else after
        async for envelope in self._lines.envelopes(run_id, begin):
            yield envelope

    def why(self, run_id: str) -> list[WakeSource]:
        """See `Service.why`."""
        return [source_of(one) for one in self._client.runs.why(run_id).sources]

    def verify(self, run_id: str) -> Verdict:
        """See `Service.verify`."""
        found = self._client.runs.verify(run_id)
        return Verdict(
            run_id=run_id,
            events=found.events,
            bad_seq=found.bad_seq,
            reason=found.reason,
            erased=found.erased,
            row=tuple(RowFlaw(**flaw.model_dump()) for flaw in found.row),
            unproven=tuple(found.unproven),
        )

    def plan_of(self, run_id: str) -> Plan:
        """See `Service.plan_of`."""
        return codec.from_json(self._client.runs.plan(run_id).plan)

    def trace(self, run_id: str) -> Mapping[str, Any]:
        """See `Service.trace`."""
        return self._client.runs.trace(run_id)

    def reasoning(self, run_id: str) -> list[Iteration]:
        """See `Service.reasoning`."""
        return [iteration_of(one) for one in self._client.runs.reasoning(run_id, limit=_PAGE)]
