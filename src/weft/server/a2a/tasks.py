"""Runs as tasks: what a client is shown of one, and which of them it may see."""

from __future__ import annotations

import asyncio

from a2a.types import a2a_pb2
from google.protobuf.json_format import MessageToJson, Parse

from weft.app.hosting import Host
from weft.app.serving.questions import open_gates
from weft.core.errors import NotFoundError, WeftError, from_json
from weft.server.a2a import states
from weft.server.a2a.lives import as_it_ended, parted, task_id
from weft.server.a2a.messages import agent_message, text_part
from weft.server.a2a.results import artifacts
from weft.server.a2a.targets import Targets
from weft.server.caller import Caller
from weft.store.gates import Gate
from weft.store.runs import Run
from weft.store.tasks import SaidTo, say


class Tasks:
    """Makes tasks of runs. `url` is the address of the service."""

    def __init__(self, host: Host, targets: Targets, url: str) -> None:
        self._host = host
        self._journal = host.journal
        self._targets = targets
        self._url = url

    def own(self, task: str, caller: Caller, routed: str = "") -> Run:
        """The run behind a task, as it is, or as it ended when it was reopened since: then it is another task.

        Raises:
            NotFoundError: it is not the caller's, or not there, or not of what the request was routed to.
        """
        gone = NotFoundError("there is no such task", fix="the tasks that you may see are listed by `ListTasks`")
        try:
            run_id, life = parted(task)
            run = self._journal.runs.get(run_id, tenant=caller.tenant)
        except NotFoundError:
            raise gone from None
        if routed and self._targets.get(routed, tenant=caller.tenant).name != run.workflow:
            raise gone
        if life > run.generation:
            raise gone
        return as_it_ended(self._journal, run, life) if life < run.generation else run

    def gates(self, run: Run) -> list[Gate]:
        """The open gates of a run and of the runs below it, the oldest first."""
        return [] if run.ended else open_gates(self._journal, run.id)

    async def now(self, run_id: str, *, history: int | None = None, results: bool = True) -> a2a_pb2.Task:
        """The task that a run is now."""
        return await self.show(self._journal.runs.get(run_id), history=history, results=results)

    async def show(self, run: Run, *, history: int | None = None, results: bool = True) -> a2a_pb2.Task:
        """A run as a task, with the last `history` messages (all of them by default)."""
        error = from_json(run.error) if run.error else None
        task = a2a_pb2.Task(
            id=task_id(run), context_id=run.session or run.id, status=states.status(run, self.gates(run), error)
        )
        if results and run.status == "completed":
            # Long journals and files: not in the loop.
            events = self._journal.events(run.id)
            task.artifacts.extend(await asyncio.to_thread(artifacts, events, run.id, self._url))
        if history != 0:
            said = self.said(run)
            task.history.extend(said if history is None else said[-history:])
        return task

    def said(self, run: Run) -> list[a2a_pb2.Message]:
        """What was said to a run: as clients said it, or as its inputs tell when nobody did by A2A."""
        kept = self._journal.tasks.said_to(run.id, tenant=run.tenant)
        messages = [_message(one.body) for one in kept if one.kind == "said"]
        if messages:
            return messages
        text = "\n".join(f"{name}: {value}" for name, value in run.inputs.items()) or run.workflow
        first = a2a_pb2.Message(
            message_id=f"{run.id}:inputs", role=a2a_pb2.ROLE_USER, parts=[text_part(text)], task_id=task_id(run)
        )
        first.context_id = run.session or run.id
        return [first]

    async def keep(self, run: Run, message: a2a_pb2.Message, caller: Caller) -> None:
        """Keep what was said to a run."""
        whole = a2a_pb2.Message()
        whole.CopyFrom(message)
        whole.task_id, whole.context_id = task_id(run), run.session or run.id
        await self._say(run.id, whole, caller, kind="said")

    async def refuse(self, run_id: str, message: a2a_pb2.Message, caller: Caller, error: WeftError) -> a2a_pb2.Task:
        """The task of something that was refused before it became a run; it can be asked for like any other."""
        whole = a2a_pb2.Message()
        whole.CopyFrom(message)
        whole.task_id, whole.context_id = run_id, message.context_id or run_id
        task = a2a_pb2.Task(id=run_id, context_id=whole.context_id, history=[whole])
        why = agent_message(f"{run_id}:refused", [text_part(error.message)], task=run_id, context=whole.context_id)
        task.status.state = states.State.TASK_STATE_REJECTED
        task.status.timestamp.CopyFrom(states.timestamp(self._host.clock.micros()))
        task.status.message.CopyFrom(why)
        await self._say(run_id, task, caller, kind="refused")
        return task

    def refused(self, run_id: str, caller: Caller, *, history: int | None = None) -> a2a_pb2.Task | None:
        """The task of something that was refused, or None."""
        for one in self._journal.tasks.said_to(run_id, tenant=caller.tenant):
            if one.kind == "refused":
                task = a2a_pb2.Task()
                Parse(one.body, task, ignore_unknown_fields=True)
                if history == 0:
                    task.ClearField("history")
                return task
        return None

    async def _say(self, run_id: str, said: a2a_pb2.Message | a2a_pb2.Task, caller: Caller, *, kind: str) -> None:
        body = MessageToJson(said, indent=None)
        await self._journal.writer.submit(
            say(
                SaidTo(
                    tenant=caller.tenant,
                    run_id=run_id,
                    message=said.message_id if isinstance(said, a2a_pb2.Message) else "",
                    body=body,
                    principal=caller.principal,
                    at=self._host.clock.micros(),
                    kind=kind,
                )
            )
        )


def _message(body: str) -> a2a_pb2.Message:
    message = a2a_pb2.Message()
    Parse(body, message, ignore_unknown_fields=True)
    return message
