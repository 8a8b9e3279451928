"""Cancels: of runs that are driven here, elsewhere or by nobody. They come as messages, so that whoever drives a run finds them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from weft.core.canonical import dumps
from weft.core.clock import Clock
from weft.core.errors import ConflictError, MismatchError, WeftError
from weft.engine.claims import Claims
from weft.engine.driven import Driven
from weft.engine.ending import RunResult
from weft.engine.family import Family
from weft.engine.fold import fold
from weft.engine.shelf import Shelf
from weft.engine.walk.undoing import undoes
from weft.store.append import Append, Draft
from weft.store.journal import Journal


class Cancels:
    """The cancels of one engine; all but the journal and the clock is what it keeps to itself."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        claims: Claims,
        family: Family,
        active: Mapping[str, Driven],
        drive: Callable[[str], Awaitable[RunResult]],
        enter: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._claims = claims
        self._family = family
        self._active = active
        self._drive = drive
        self._enter = enter
        self._shelf = Shelf(journal)

    async def cancel(self, run_id: str, *, reason: str = "") -> bool:
        """Cancel a run, whoever drives it; its driver is told through the inbox. False when it has ended otherwise.

        Of a run that another process drives, True says no more than that its driver will find the message, if it is not over before.
        """
        run = self._journal.runs.get(run_id)
        if run.ended:
            return False
        key, at = f"cancel:{run.epoch}", self._clock.micros()
        post = self._journal.inbox.post(run_id, key=key, kind="cancel", data={"reason": reason}, at=at)
        await self._journal.writer.submit(post)
        self._journal.inbox.ring()
        if run_id in self._active:
            await self.take([run_id])
            if (driven := self._active.get(run_id)) is not None and await driven.heard():
                return True
        if await self._cancel_undriven(run_id, reason):
            await self._journal.writer.submit(self._journal.inbox.take([run_id]))
            return True
        # Somebody drives it and will find the message, or has found it; or it has just ended.
        now = self._journal.runs.get(run_id)
        return now.status == "cancelled" or not now.ended

    async def in_time(self, driven: Driven, result: RunResult) -> RunResult:
        """`result` of a drive; a run that waits is cancelled when that was asked for too late to find a driver and too early to find none."""
        run_id = driven.recorder.run_id
        if result.status != "waiting":
            return result
        # What had come late was taken already, and nobody else knows of it.
        if driven.late is not None and driven.cancelled is None and await self._cancel_undriven(run_id, driven.late):
            driven.cancelled = driven.late
        elif run_id not in await self.take([run_id]):
            return result
        return replace(result, status="cancelled", waits=())

    async def _cancel_undriven(self, run_id: str, reason: str) -> bool:
        """Cancel a run that nobody drives; False when somebody does, or when it has ended. Its children first."""
        self._enter()
        await self._family.cancel_children(run_id, reason)
        try:
            epoch = await self._claims.claim(run_id)
        except ConflictError:
            return False
        try:
            undo = self._may_undo(run_id)
            kind = "run.cancelling" if undo else "run.cancelled"
            draft = Draft(self._clock.micros(), kind, "", dumps({"reason": reason}))
            patch = None if undo else {"status": "cancelled", "waits": None, "driver": None}
            await self._journal.append(Append(run_id, epoch, [draft], patch))
        except BaseException:  # also of a stop: nobody drives it from here any more, and the exception goes on
            self._claims.release(run_id, epoch)
            raise
        if undo:
            self._claims.release(run_id, epoch)
            with suppress(ConflictError):  # whoever takes it up undoes it
                await self._drive(run_id)
        return True

    def _may_undo(self, run_id: str) -> bool:
        """Whether a run that nobody drives may have something to undo."""
        try:
            return undoes(self._shelf.load(self._journal.runs.get(run_id).plan_hash).root)
        except MismatchError:
            # Whoever takes it up finds that the plan is not the run's; what there is to undo is then for a person.
            return fold(self._journal.events(run_id)).to_undo("")

    async def take(self, run_ids: list[str]) -> set[str]:
        """Do what the messages of these runs ask for; the runs that were cancelled because nobody drives them any more.

        A message is taken when that is done: one that the journal refuses now is found when the run is next taken up.
        """
        messages = await self._journal.writer.submit(self._journal.inbox.look(run_ids))
        done = {message.run_id for message in messages}
        undriven: dict[str, str] = {}
        for message in messages:
            if message.kind != "cancel":
                continue
            reason = str(message.data.get("reason", ""))
            # Those first that only have to be told: what keeps another run from being cancelled must not keep the word from them.
            if (driven := self._active.get(message.run_id)) is not None:
                driven.cancel(reason)
            else:
                undriven[message.run_id] = reason
        ended, errors = set(), []
        for run_id, reason in undriven.items():
            try:
                if await self._cancel_undriven(run_id, reason):
                    ended.add(run_id)
                elif not self._journal.runs.get(run_id).ended:
                    done.discard(run_id)  # it is for who drives it now
            except WeftError as error:
                done.discard(run_id)
                errors.append(error)
        if done:
            await self._journal.writer.submit(self._journal.inbox.take(done))
        if errors:
            raise errors[0]
        return ended
