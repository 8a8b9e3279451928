"""The pen of a run: appends events in its name, keeps the fold up to date, and tells listeners what is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from weft.core.canonical import dumps, loads
from weft.core.clock import Clock
from weft.core.errors import WeftError
from weft.core.event import Event
from weft.core.usage import Usage
from weft.engine.fold import RunState, apply
from weft.engine.held import Entry, Held
from weft.engine.listeners import Listener
from weft.engine.port import RunHalted, Settings
from weft.engine.spending import Above, Spending, Warned
from weft.plan.nodes import Budget
from weft.store.append import Append, Draft
from weft.store.gates import withdraw
from weft.store.journal import Journal
from weft.store.sql import Transaction
from weft.store.writer import Commit

_ENDS = frozenset({"step.completed", "step.failed"})
Also = tuple[Callable[[Transaction], object], ...]
"""What else is written in the transaction of an append."""


class Recorder:
    """Writes the journal of one run under one epoch."""

    def __init__(
        self,
        journal: Journal,
        run_id: str,
        epoch: int,
        state: RunState,
        clock: Clock,
        listeners: tuple[Listener, ...],
        above: Above | None = None,
    ) -> None:
        self.run_id = run_id
        self.epoch = epoch
        self.state = state
        self.journal = journal
        self._clock = clock
        self._listeners = listeners
        self._spending = Spending(state, above)
        self._held = Held()
        self._paying: Commit | None = None
        """The last commit that says of something that was consumed."""
        self._under_way: list[list[Entry]] = []
        """What is being written, in order."""
        self._refusal: WeftError | None = None
        """Why the journal refused: whatever came after that would go on from what is lost."""
        self._also: Also = ()
        self._sent = state.read
        """The number of the last event that there is if the journal takes all that it was given."""

    def go_on_from(self, state: RunState) -> None:
        """Take `state`, which was read anew because somebody else wrote something."""
        self.state, self._sent = state, state.read

    async def record(
        self, kind: str, path: str, data: Mapping[str, Any], patch: Mapping[str, Any] | None = None
    ) -> None:
        """Append an event and wait until it is durable.

        Raises:
            RunHalted: the journal refused.
        """
        payload = dumps(data)
        await self._append([(Draft(self._clock.micros(), kind, path, payload), loads(payload))], patch)

    async def record_facts(self, path: str, facts: Sequence[tuple[str, Mapping[str, Any]]], *, also: Also = ()) -> None:
        """Append several events about one path in one transaction, and do what `also` says in it.

        Raises:
            RunHalted: the journal refused.
        """
        entries: list[Entry] = []
        for kind, data in facts:
            payload = dumps(data)
            entries.append((Draft(self._clock.micros(), kind, path, payload, outcome=kind in _ENDS), loads(payload)))
        self._also += also
        await self._append(entries, None)

    def note(self, kind: str, path: str, data: Mapping[str, Any]) -> None:
        """Append an event without waiting for it.

        It rides along with the run's next append, or goes alone soon. It is durable before anything that is
        recorded later, and lost if the process dies first.
        """
        self._hold_folded(Draft(self._clock.micros(), kind, path, dumps(data)), data)

    async def record_outcome(
        self, kind: str, path: str, payload: bytes, data: Mapping[str, Any], usage: Usage | None
    ) -> None:
        """Append the end of a step; `data` is `payload` decoded."""
        if usage is not None:
            self._spending.total += usage
            self._held.paid = True
        try:
            await self._append([(Draft(self._clock.micros(), kind, path, payload, outcome=True), data)], None)
        finally:
            if usage is not None:
                self._warn(self._spending.ended(path, usage))

    def note_spending(self, kind: str, path: str, payload: bytes, data: Mapping[str, Any], usage: Usage | None) -> None:
        """Append the end of a step that consumed `usage`, as a note. What begins on the strength of it waits for `settled`."""
        self._spending.total += usage or Usage()
        self._held.paid = True
        self._hold_folded(Draft(self._clock.micros(), kind, path, payload, outcome=True), data)
        if usage is not None:
            self._warn(self._spending.ended(path, usage))

    async def settled(self) -> None:
        """Wait until nothing that `note_spending` was told can be lost any more.

        Raises:
            RunHalted: the journal refused.
        """
        self._go_on()
        if self._held.paid:
            await self._flush()
        elif self._paying is not None:
            try:
                await self._paying
            except WeftError as error:
                raise RunHalted(error) from error
            self._go_on()

    def child_spent(self, path: str, total: Usage) -> None:
        """The child run at `path` has consumed `total` so far, which counts here before it ends."""
        self._warn(self._spending.child(path, total))

    def note_outcome(self, kind: str, path: str, payload: bytes, data: Mapping[str, Any]) -> None:
        """Append the end of a step that consumed nothing itself, as a note."""
        self._hold_folded(Draft(self._clock.micros(), kind, path, payload, outcome=True), data)

    async def record_node(
        self, kind: str, path: str, payload: bytes, data: Mapping[str, Any], *, durable: bool
    ) -> None:
        """Append the end of a composite, `data` as `payload`; unless `durable`, as a note.

        Raises:
            RunHalted: the journal refused.
        """
        draft = Draft(self._clock.micros(), kind, path, payload, outcome=True)
        if durable:
            await self._append([(draft, data)], None)
        else:
            self._hold_folded(draft, data)

    def open_budget(self, path: str, budget: Budget) -> None:
        """Count what is inside `path` from now on, starting with what the journal says."""
        self._spending.open_budget(path, budget)

    def admit(self, path: str, settings: Settings, *, call: bool, spends: bool) -> None:
        """Let a call or a request begin, or not.

        Raises:
            BudgetError: a budget that it counts against is used up.
        """
        self._warn(self._spending.admit(path, settings, call=call, spends=spends))

    def emit(self, path: str, attempt: int, delta: Mapping[str, Any]) -> None:
        """Tell listeners something that is not history."""
        for listener in self._listeners:
            listener.delta(self.run_id, path, attempt, delta)

    async def record_stall(self, data: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        """Append that the run has stalled, also when the journal has just refused to go on.

        Raises:
            RunHalted: the journal refused that as well.
        """
        if self._refusal is not None:
            self._refusal, self._sent, self._under_way = None, 0, []
        await self.record("run.stalled", "", data, patch)

    def history(self) -> list[Event]:
        """The run's events so far, those included that are not durable yet (their `seq` is 0)."""
        events = self.journal.events(self.run_id)
        under_way = [entry for entries in self._under_way for entry in entries]
        ahead = [*under_way[_written_of(under_way, events) :], *self._held.entries]
        return events + [Event(self.run_id, 0, draft.at, draft.kind, draft.path, data) for draft, data in ahead]

    def final_patch(self, status: str, **columns: Any) -> dict[str, Any]:
        """The columns of the run's row that the last event of a drive sets; nobody drives it any more."""
        texts = {name: None if value is None else dumps(value).decode() for name, value in columns.items()}
        return {"status": status, "usage": self._usage(), "waits": None, "due": None, "driver": None, **texts}

    def _with_usage(self, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        return patch if "usage" in patch else {**patch, "usage": self._usage()}

    def _usage(self) -> str:
        return dumps(self._spending.total.as_json()).decode()

    def _withdraw_below(self, draft: Draft) -> None:
        """What has ended needs no answers any more to what it asked inside."""
        if draft.outcome and (ids := self.state.gates_below(draft.path)):
            self._also += (withdraw(self.run_id, ids, draft.at),)

    def _fold(self, draft: Draft, data: Any) -> None:
        if draft.kind == "step.completed":
            # What is written most often takes the short way.
            self.state.succeed(draft.path, data)
            return
        apply(self.state, Event(self.run_id, 0, draft.at, draft.kind, draft.path, data))

    def _hold_folded(self, draft: Draft, data: Any) -> None:
        if self.state.gates:
            self._withdraw_below(draft)
        self._fold(draft, data)
        self._held.add((draft, data), self._flush)

    async def _flush(self) -> None:
        await self._append([], None)

    async def _append(self, entries: list[Entry], patch: Mapping[str, Any] | None) -> None:
        """Write what is held and then `entries`, in one transaction; take in `entries` and tell listeners once that is durable.

        Who is stopped while it waits has written all the same, and whoever stopped it finds that in the fold.
        """
        self._go_on()
        new = entries
        if self.state.gates:
            for draft, _ in new:
                self._withdraw_below(draft)
        held = self._held.take()
        entries = held + new
        if not entries:
            # Between the timer and now, another append took along what was held.
            return
        also, self._also = self._also, ()
        if paid := self._held.paid:
            self._held.paid = False
            patch = self._with_usage(patch or {})
        # It stands behind all that was given before, or nowhere: when that is refused, so is this.
        append = Append(self.run_id, self.epoch, [draft for draft, _ in entries], patch, None, False, also, self._sent)
        try:
            written = self._given(append, held, paid=paid)
            self._sent += len(entries)
            if paid:
                self._paying = written
            self._under_way.append(entries)
            try:
                last = await written
            except asyncio.CancelledError:
                # A commit ends first and only then whoever waits for it.
                if (refusal := written.exception()) is None:
                    self._written(entries, new, written.result())
                elif isinstance(refusal, WeftError):
                    self._refusal = self._refusal or refusal
                raise
        except WeftError as error:
            self._refusal = self._refusal or error
            raise RunHalted(self._refusal) from error
        self._written(entries, new, last)

    def _given(self, append: Append, held: list[Entry], *, paid: bool) -> Commit:
        try:
            return self.journal.writer.submit(append)
        except BaseException:
            # Not even taken: what was held is held still, and whoever waits for it tries again.
            self._held.put_back(held, paid=paid)
            raise

    def _go_on(self) -> None:
        if self._refusal is not None:
            raise RunHalted(self._refusal)

    def _written(self, entries: list[Entry], new: list[Entry], last: int) -> None:
        if entries in self._under_way:
            self._under_way.remove(entries)
        for draft, data in new:
            self._fold(draft, data)
        if self._listeners:
            for seq, (draft, data) in enumerate(entries, last - len(entries) + 1):
                event = Event(self.run_id, seq, draft.at, draft.kind, draft.path, data)
                for listener in self._listeners:
                    listener.event(event)

    def _warn(self, warnings: Iterable[Warned]) -> None:
        for path, level in warnings:
            self.note("budget.warning", path, {"limit": level.limit, "used": f"{level.used:f}", "of": f"{level.of:f}"})


def _written_of(under_way: Sequence[Entry], events: Sequence[Event]) -> int:
    """How much of what is being written is the end of `events` already, though nobody was told yet."""
    drafts = [(draft.at, draft.kind, draft.path) for draft, _ in under_way]
    there = [(event.at, event.kind, event.path) for event in events[len(events) - len(drafts) :]]
    return next(count for count in range(len(drafts), -1, -1) if there[len(there) - count :] == drafts[:count])
