"""Time travel over one journal: forks, replays, differences, and which run of a line is the current one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from weft.app.service import NewFork
from weft.core.clock import SystemClock
from weft.engine.diff import Line, diff
from weft.engine.fork import Forks
from weft.engine.programs.port import Programs
from weft.engine.replay import replay
from weft.engine.replayed import Replayed
from weft.engine.shelf import Shelf
from weft.store.journal import Journal


class Travel:
    """What the service answers about the pasts of runs."""

    def __init__(self, journal: Journal, programs: Programs | None = None) -> None:
        self._journal = journal
        self._programs = programs
        self._clock = SystemClock()
        self._forks = Forks(journal, self._clock)

    async def fork(
        self,
        run_id: str,
        *,
        at: str | None = None,
        before: str | None = None,
        changes: Mapping[str, str],
        new: NewFork | None = None,
    ) -> str:
        """See `Service.fork`."""
        if before is not None:
            seq = self._forks.before(run_id, before)
        elif at is not None:
            seq = self._forks.point(run_id, at)
        else:
            seq = self._journal.runs.get(run_id).head_seq
        made = self._forks.changes(run_id, seq, changes)
        if new is None:
            return await self._forks.fork(run_id, seq, made)
        return await self._forks.fork(run_id, seq, made, new_id=new.run_id, options={"out": str(new.out)})

    def diff(self, first: str, second: str) -> list[Line]:
        """See `Service.diff`."""
        return diff(self._journal.events(first), self._journal.events(second))

    async def replay(self, run_id: str) -> Replayed:
        """See `Service.replay`."""
        events = await asyncio.to_thread(self._journal.proven_events, run_id)
        plan = Shelf(self._journal).load(self._journal.runs.get(run_id).plan_hash)
        return await asyncio.to_thread(replay, run_id, plan, events, self._programs)

    async def promote(self, run_id: str) -> None:
        """See `Service.promote`."""
        await self._journal.writer.submit(self._journal.forks.promote(run_id, at=self._clock.micros()))

    async def discard(self, run_id: str) -> list[str]:
        """See `Service.discard`."""
        gone: list[str] = await self._journal.writer.submit(self._journal.forks.discard(run_id))
        return gone
