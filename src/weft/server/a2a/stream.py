"""What happens to a run, as the events of its task: the same in the same order for every reader, for they follow from the journal.

Text that streams comes as pieces of the artifact ``answer``; at the end it is sent once more, whole, in their place: whoever has
joined late, or after a restart, has all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from a2a.types import a2a_pb2

from weft.app.hosting import Host
from weft.app.serving.items import Answered, Asked, Ended, Item, Said, StepBegan, Waits
from weft.app.serving.places import Place
from weft.core.errors import NotFoundError
from weft.server.a2a import states
from weft.server.a2a.lives import task_id
from weft.server.a2a.messages import agent_message, text_part
from weft.server.a2a.results import ANSWER, artifacts
from weft.store.gates import Gate
from weft.store.runs import Run

Update = a2a_pb2.TaskStatusUpdateEvent | a2a_pb2.TaskArtifactUpdateEvent
_TOLD = frozenset({"agent", "child"})
"""The steps whose beginning a client is told."""


class Updates:
    """The updates of one task, from a place in its run on; they end with the run.

    `open_gates` are those that are open at that place.
    """

    def __init__(self, host: Host, run: Run, *, place: Place, open_gates: Mapping[str, Gate], url: str) -> None:
        self._host = host
        self._run_id = run.id
        self._task = task_id(run)
        self._session = run.session or run.id
        self._place = place
        self._open = dict(open_gates)
        self._url = url
        self._heard = False
        self.seq = place.after
        """The number of the latest event that an update was made of."""

    async def follow(self) -> AsyncGenerator[Update]:
        """The updates, as they come."""
        async with aclosing(self._host.replies.follow(self._run_id, self._place)) as items:
            async for item in items:
                self.seq = max(self.seq, item.seq)
                for update in await self._updates(item):
                    yield update

    async def _updates(self, item: Item) -> list[Update]:
        if isinstance(item, Ended):
            return await self._ended(item)
        match item:
            case Said() | StepBegan():
                return self._at_work(item)
            case Asked():
                return self._asked(item)
            case Answered():
                return self._answered(item)
            case Waits() if not self._open:
                return [self._status(states.waits(self._task, self._session, item.waits, at=item.at))]
        return []

    def _at_work(self, item: Said | StepBegan) -> list[Update]:
        if isinstance(item, Said):
            return [self._piece(item)]
        return [self._began(item)] if item.type in _TOLD and not self._open else []

    def _status(self, status: a2a_pb2.TaskStatus, about: Mapping[str, Any] | None = None) -> Update:
        update = a2a_pb2.TaskStatusUpdateEvent(task_id=self._task, context_id=self._session, status=status)
        if about:
            update.metadata.update(dict(about))
        return update

    def _piece(self, item: Said) -> Update:
        artifact = a2a_pb2.Artifact(artifact_id=ANSWER, name=ANSWER, parts=[text_part(item.text)])
        update = a2a_pb2.TaskArtifactUpdateEvent(
            task_id=self._task, context_id=self._session, artifact=artifact, append=self._heard
        )
        update.metadata.update({"agent": item.agent, "step": item.path})
        self._heard = True
        return update

    def _began(self, item: StepBegan) -> Update:
        text = f"{item.target or item.type} is at work"
        key = f"{item.run_id}:{item.path}"
        message = agent_message(key, [text_part(text)], task=self._task, context=self._session)
        status = a2a_pb2.TaskStatus(
            state=states.State.TASK_STATE_WORKING, message=message, timestamp=states.timestamp(item.at)
        )
        return self._status(status, {"agent": item.target, "step": item.path})

    def _asked(self, item: Asked) -> list[Update]:
        gate = self._gate(item.gate)
        if gate is None or gate.status != "open":
            # Read again after a restart: it was decided long ago, and what came of it follows.
            return []
        self._open[gate.id] = gate
        return [self._status(states.asks(self._task, self._session, gate, at=item.at))]

    def _answered(self, item: Answered) -> list[Update]:
        self._open.pop(item.gate, None)
        if self._open:
            gate = next(iter(self._open.values()))
            return [self._status(states.asks(self._task, self._session, gate, at=item.at))]
        status = a2a_pb2.TaskStatus(state=states.State.TASK_STATE_WORKING, timestamp=states.timestamp(item.at))
        return [self._status(status)]

    def _gate(self, gate_id: str) -> Gate | None:
        try:
            return self._host.journal.gates.get(gate_id)
        except NotFoundError:
            return None

    async def _ended(self, item: Ended) -> list[Update]:
        updates: list[Update] = []
        if item.status == "completed":
            events = self._host.journal.events(self._run_id)
            found = await asyncio.to_thread(artifacts, events, self._run_id, self._url)
            updates = [
                a2a_pb2.TaskArtifactUpdateEvent(
                    task_id=self._task, context_id=self._session, artifact=one, last_chunk=True
                )
                for one in found
            ]
        status = states.ended(self._task, self._session, item.status, item.error, at=item.at)
        return [*updates, self._status(status)]
