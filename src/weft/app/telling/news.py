"""News: what is worth telling of all runs, as envelopes, to whoever listens now.

A reader's place is a number that only grows while this process lives; with the process's own mark before it, a reader that comes
back is told on from there, or that it has missed something and should look anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from weft.app.lasting import lasting
from weft.bus.envelope import DELTA, LAGGED, Envelope
from weft.bus.local import LocalBus
from weft.core.errors import NotFoundError
from weft.core.event import Event
from weft.core.ids import uuid7
from weft.store.journal import Journal

TOPICS: Mapping[str, str] = {
    "runs": "how runs go: started, waiting, ended, stalled",
    "gates": "who is asked what, and what was decided",
    "budgets": "budgets that are nearly used up",
}
"""What one can be told of, besides single runs (``run/<id>``)."""
_KEPT = 2_048
_LOOK_S = 1.0
_WATCHED = 200
"""The newest runs, among which those are looked for that another process drives."""


def topic_of(kind: str) -> str | None:
    """The topic that events of a kind are news of."""
    if kind.startswith("run.") and kind != "run.created":
        return "runs"
    if kind.startswith("gate."):
        return "gates"
    return "budgets" if kind == "budget.warning" else None


def envelope(event: Event, workflow: str, topic: str) -> dict[str, Any]:
    """An event as it is told: which run, of which workflow, and what happened."""
    data = event.data if isinstance(event.data, dict) else {"value": event.data}
    if event.kind == "run.completed":
        data = {}  # the run itself has its outputs
    return {
        "seq": event.seq,
        "topic": topic,
        "type": event.kind,
        "at": event.at,
        "data": {"run": event.run_id, "workflow": workflow, "path": event.path, **data},
    }


@dataclass(slots=True)
class Item:
    """One piece of news, and its place. `form` is for whoever sends it: what one reader has encoded serves all others."""

    place: int
    body: Mapping[str, Any]
    tenant: str
    form: bytes | None = None


class News:
    """The news of one journal. For one event loop."""

    def __init__(self, journal: Journal, bus: LocalBus) -> None:
        self.mark = uuid7()[-12:]
        """This process's own mark."""
        self._journal = journal
        self._bus = bus
        self._kept: list[Item] = []
        self._next = 1
        self._told: dict[str, int] = {}
        self._readers = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._changed: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def latest(self) -> int:
        """The place of the newest piece."""
        return self._next - 1

    async def follow(self, topics: frozenset[str], *, tenant: str, after: int | None = None) -> AsyncGenerator[Item]:
        """News of these topics from now on, or after a place of before; ends when the service stops.

        Where some of it is forgotten already, or is before a slow reader has come to it, an item of the type ``lagged`` says so.
        """
        self._enter()
        try:
            place = self.latest if after is None else after
            while not self._closed:
                oldest = self._kept[0].place if self._kept else self._next
                if place + 1 < oldest or place > self.latest:
                    place = self.latest
                    yield Item(place, {"seq": 0, "topic": "", "type": LAGGED, "at": 0, "data": {}}, tenant)
                elif place == self.latest:
                    await self._more()
                else:
                    # Places follow one another without a gap: nobody has to look through what others have read.
                    item = self._kept[place + 1 - oldest]
                    place = item.place
                    if item.tenant == tenant and item.body["topic"] in topics:
                        yield item
        finally:
            self._leave()

    def close(self) -> None:
        """End every reader."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._wake()

    def _enter(self) -> None:
        self._readers += 1
        if not self._tasks:
            self._told = {run.id: run.head_seq for run in self._journal.runs.list(limit=_WATCHED)}
            works = (self._listen, self._look)
            self._tasks = [asyncio.ensure_future(lasting("the news", work, pause_s=_LOOK_S)) for work in works]

    def _leave(self) -> None:
        self._readers -= 1
        if not self._readers:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _listen(self) -> None:
        """Take what the bus tells of runs that this process drives."""
        async with self._bus.subscribe("run") as heard:
            async for one in heard:
                if one.type not in {DELTA, LAGGED} and topic_of(one.type) is not None:
                    self._hear(one)

    def _hear(self, one: Envelope) -> None:
        event: Event = one.data
        if event.seq > self._told.get(event.run_id, 0):
            self._take(event)

    async def _look(self) -> None:
        """Look for what other processes do."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for run in self._journal.runs.list(limit=_WATCHED):
                known = self._told.get(run.id, 0)
                if run.head_seq > known:
                    for event in self._journal.events(run.id, after=known):
                        if topic_of(event.kind) is not None:
                            self._take(event)
                    self._told[run.id] = run.head_seq
            if len(self._told) > 10 * _WATCHED:
                self._told = dict(list(self._told.items())[-2 * _WATCHED :])

    def _take(self, event: Event) -> None:
        topic = topic_of(event.kind)
        try:
            run = self._journal.runs.get(event.run_id)
        except NotFoundError:
            return
        assert topic is not None
        self._told[event.run_id] = max(event.seq, self._told.get(event.run_id, 0))
        self._kept.append(Item(self._next, envelope(event, run.workflow, topic), run.tenant))
        self._next += 1
        if len(self._kept) > 2 * _KEPT:
            del self._kept[:_KEPT]
        self._wake()

    async def _more(self) -> None:
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
