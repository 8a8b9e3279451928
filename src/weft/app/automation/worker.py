"""The worker: it fires what automations find to do, and drives every run that is due and that nobody drives.

Any number of workers may share one journal. None of them holds anything between two looks but the runs that it drives: a firing
is a row that only one process can write first, a run is created once under an id that follows from its firing, and a run is
driven by whoever claims it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from weft.app.automation.firing import Occasions, depth_of
from weft.app.automation.rules import Schedule, read
from weft.app.service import Automatic, ModelChoice, RunRequest
from weft.core.clock import Clock
from weft.core.errors import ConflictError, InputError, NotFoundError, StorageError, WeftError
from weft.core.owner import LOCAL, Owner
from weft.engine.local import RunResult
from weft.store.automations import Automation, Firing, fire, settle
from weft.store.gates import mark_due
from weft.store.journal import Journal

_LOG = logging.getLogger("weft.worker")
Report = Callable[[str, Mapping[str, Any]], None]
"""Hears what happens: a word, and what it is about."""
_LOOK_S = 2.0
"""Between two looks for runs that can be driven, when nobody rings."""
_SURVEY_S = 5.0
"""Between two looks at everything else."""
_BELL_S = 0.025
_GUESTS, _GUESTS_S = 16, 0.2
"""Beyond its room, a worker drives so many runs of tenants of whom it drives none; for those it looks so often (seconds)."""
_COOL_S, _COOL_MAX_S = 5.0, 300.0


class Hands(Protocol):
    """What a worker needs of those who start and drive runs."""

    async def start(self, request: RunRequest) -> str:
        """Create a run."""
        ...

    async def drive(self, run_id: str) -> RunResult:
        """Make a run go until it ends or waits."""
        ...

    async def give_way(self, run_id: str, automation: str, by: Owner) -> bool:
        """Cancel a run, for the next one of its automation is due, in the name of whose that is."""
        ...


@dataclass(slots=True)
class _Cooling:
    """A run that could not be driven, and when it is tried again (monotonic seconds)."""

    until: float
    seconds: float


class Worker:
    """Fires and drives until it is told to stop. `concurrency` is how many runs it drives at once; `beside` is done as long as it works."""

    def __init__(
        self,
        journal: Journal,
        hands: Hands,
        clock: Clock,
        *,
        concurrency: int = 16,
        report: Report = lambda *_: None,
        beside: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._beside = beside
        self._journal = journal
        self._hands = hands
        self._clock = clock
        self._concurrency = concurrency
        self._report = report
        self._occasions = Occasions(journal)
        self._drives: dict[str, asyncio.Task[None]] = {}
        self._owners: dict[str, str] = {}
        self._looked_at = float("-inf")
        self._put_off = False
        self._cooling: dict[str, _Cooling] = {}
        self._stopping = False
        self._ended = False
        self._bell: object = None
        self._survey_at = 0.0
        self._next_at: int | None = None

    def stop(self) -> None:
        """Take up nothing new, and let `run` return."""
        self._stopping = True

    async def run(self, *, once: bool = False, drain_s: float = 30.0) -> None:
        """Work until `stop`; with `once`, until nothing is due any more.

        Runs that are under way at the end have `drain_s` to end or wait; what is left is let go of, for another worker to take up.
        """
        beside = None if self._beside is None or once else asyncio.ensure_future(self._beside())
        try:
            while not self._stopping:
                self._listen()
                busy = await self._look()
                if once and not (busy or self._drives or self._ended):
                    break
                if not busy:
                    await self._rest()
        finally:
            await self._drain(drain_s)
            if beside is not None:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)

    def _listen(self) -> None:
        """Look at everything, if somebody has rung or a drive has ended since the last look began: it may have looked there before."""
        bell = self._journal.inbox.bell()
        if self._ended or bell != self._bell:
            self._survey_at = 0.0
        self._bell, self._ended = bell, False

    async def _look(self) -> bool:
        """Fire, start and drive what is due; says whether there was anything."""
        now, at = self._clock.micros(), self._clock.monotonic()
        try:
            found = 0
            if at >= self._survey_at or (self._next_at is not None and now >= self._next_at):
                found = await self._fire(now) + await self._start(now)
                # What was found may have been as much as one look takes up.
                self._survey_at = at if found else at + _SURVEY_S
                times = (self._journal.runs.next_due(), self._journal.automations.next_at())
                self._next_at = min((time for time in times if time is not None), default=None)
            return bool(found + self._take_up(now))
        except StorageError as error:
            self._report("storage", error.as_json())
            return False

    async def _fire(self, now: int) -> int:
        fired = 0
        for automation in self._journal.automations.active(now):
            try:
                found, next_at = await asyncio.to_thread(self._occasions.of, automation, now)
            except InputError as error:  # such as a time zone that this machine does not know
                self._report("trouble", {"automation": automation.name, **error.as_json()})
                continue
            if found:
                fired += await self._journal.writer.submit(fire(found, next_at=next_at))
        return fired

    async def _start(self, now: int) -> int:
        """Start the runs of firings, each automation's in order; how many need no more looking at."""
        settled = 0
        for firing in self._journal.automations.unfinished():
            try:
                automation = self._journal.automations.get(firing.automation, tenant=firing.tenant)
            except NotFoundError:
                continue  # removed a moment ago, its firings with it
            settled += await self._settle(automation, firing, now)
        return settled

    async def _settle(self, automation: Automation, firing: Firing, now: int) -> bool:
        """Start the run of a firing, or say why not; False while it has to wait."""
        before = self._open_before(firing)
        rule = read(automation.kind, automation.rule)
        overlap = rule.overlap if isinstance(rule, Schedule) else "allow"
        if before is not None and overlap != "allow":
            if overlap == "cancel":
                await self._hands.give_way(before, automation.name, _owner(automation))
            elif firing.status == "buffered":
                return False
            elif overlap == "buffer" and not self._buffered(firing):
                await self._journal.writer.submit(settle(firing, "buffered"))
                return False
            else:
                await self._say(firing, "skipped", f"the run before, {before}, has not ended")
                return True
        try:
            await self._hands.start(_request(automation, firing, self._depth(automation, firing)))
        except StorageError:
            raise
        except ConflictError as error:
            if not self._journal.runs.has(firing.run_id):
                await self._say(firing, "refused", error.message)
                return True
        except WeftError as error:
            await self._say(firing, "refused", f"{error.message}: {error.fix}" if error.fix else error.message)
            return True
        if await self._journal.writer.submit(settle(firing, "started")):
            late = (now - firing.nominal) / 1_000_000
            self._report("started", {"automation": automation.name, "run_id": firing.run_id, "late_s": round(late, 3)})
        return True

    async def _say(self, firing: Firing, status: str, reason: str) -> None:
        if await self._journal.writer.submit(settle(firing, status, reason)):
            self._report(status, {"automation": firing.automation, "key": firing.key, "reason": reason})

    def _open_before(self, firing: Firing) -> str | None:
        """The run of the automation's latest other firing, while it is open."""
        latest = self._journal.automations.last_started(firing.automation, before=firing, tenant=firing.tenant)
        if latest is None:
            return None
        try:
            return None if self._journal.runs.get(latest.run_id).ended else latest.run_id
        except NotFoundError:
            return None

    def _buffered(self, firing: Firing) -> bool:
        place = (firing.tenant, firing.automation)
        waiting = self._journal.automations.unfinished()
        return any((one.tenant, one.automation) == place and one.status == "buffered" for one in waiting)

    def _depth(self, automation: Automation, firing: Firing) -> int:
        if automation.kind != "run":
            return 0
        try:
            return depth_of(self._journal.runs.get(firing.variables.get("run", ""))) + 1
        except NotFoundError:
            return 1

    def _take_up(self, now: int) -> int:
        """Drive runs that are ready, as many as there is room for."""
        room = self._concurrency - len(self._drives)
        self._put_off = room <= 0 and self._looked_at + _GUESTS_S > self._clock.monotonic()
        if self._stopping or self._put_off:
            return 0
        taken, at = 0, self._clock.monotonic()
        self._looked_at = at
        busy = set(self._owners.values())
        # Those that wait for their turn to begin are not driven yet.
        limit = max(0, room) + len(self._cooling) + len(self._drives) + _GUESTS
        for run_id, tenant in self._journal.runs.ready(now, limit=limit):
            cooling = self._cooling.get(run_id)
            # A tenant of whom nothing is driven does not wait for the runs of others to end.
            guest = tenant not in busy and len(self._drives) < self._concurrency + _GUESTS
            if run_id in self._drives or not (taken < room or guest) or (cooling and cooling.until > at):
                continue
            busy.add(tenant)
            self._owners[run_id] = tenant
            self._drives[run_id] = asyncio.ensure_future(self._drive(run_id))
            taken += 1
        return taken

    async def _drive(self, run_id: str) -> None:
        self._report("driving", {"run_id": run_id})
        try:
            result = await self._hands.drive(run_id)
            self._cooling.pop(run_id, None)
            self._report(result.status, {"run_id": run_id})
        except ConflictError:
            pass  # another worker was faster
        except WeftError as error:
            self._cool(run_id, error.as_json())
        except Exception as error:  # noqa: BLE001 -- reported, and told in the log
            # A defect that one run brings to light is no reason to leave all others alone.
            _LOG.exception("a defect while driving %s", run_id)
            self._cool(run_id, {"code": "internal", "message": f"{type(error).__name__}: {error}"})
        finally:
            self._drives.pop(run_id, None)
            self._owners.pop(run_id, None)
            self._ended = True

    def _cool(self, run_id: str, about: Mapping[str, Any]) -> None:
        """Leave a run alone for a while, twice as long each time."""
        before = self._cooling.get(run_id)
        seconds = min(_COOL_MAX_S, 2 * before.seconds) if before else _COOL_S
        self._cooling[run_id] = _Cooling(self._clock.monotonic() + seconds, seconds)
        self._report("trouble", {"run_id": run_id, **about})

    async def _rest(self) -> None:
        """Wait until somebody rings, something is due, a drive has ended, or it is time to look again."""
        # Somebody may have rung for a guest who was not looked for just now.
        until = self._looked_at + _GUESTS_S if self._put_off else self._clock.monotonic() + _LOOK_S
        while (left := until - self._clock.monotonic()) > 0 and not self._stopping:
            if self._ended or self._journal.inbox.bell() != self._bell:
                return
            ahead = _BELL_S if self._next_at is None else (self._next_at - self._clock.micros()) / 1_000_000
            # What is due and cannot be taken up, for lack of room or because it cools, is no reason to hurry.
            await self._clock.sleep(min(_BELL_S, left, ahead if ahead > 0 else _BELL_S))
            if 0 < ahead <= _BELL_S and self._next_at is not None:
                return

    async def _drain(self, seconds: float) -> None:
        if self._drives:
            self._report("draining", {"runs": sorted(self._drives)})
            await asyncio.wait(list(self._drives.values()), timeout=seconds)
        left = dict(self._drives)
        for task in left.values():
            task.cancel()
        for run_id, task in left.items():
            await asyncio.gather(task, return_exceptions=True)
            # Nobody has asked for this run to stop: the next worker is to take it up at once.
            await self._journal.writer.submit(partial(mark_due, run_id=run_id, at=self._clock.micros()))


def _owner(automation: Automation) -> Owner:
    return Owner(automation.tenant, automation.request.get("principal", LOCAL.principal))


def _request(automation: Automation, firing: Firing, depth: int) -> RunRequest:
    stored = automation.request
    return RunRequest(
        file=Path(stored["file"]),
        variables={**stored.get("variables", {}), **firing.variables},
        # A folder for each run: artifacts never overwrite those of the run before.
        out=Path(stored["out"]) / firing.run_id,
        choice=ModelChoice(**stored.get("choice", {})),
        workdir=Path(stored["workdir"]) if stored.get("workdir") else None,
        owner=_owner(automation),
        queued=True,
        automatic=Automatic(
            run_id=firing.run_id,
            automation=automation.name,
            depth=depth,
            plan_hash=stored.get("plan_hash", ""),
        ),
    )
