"""The operations of A2A over the journal: a task is a run, its updates are the run's events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.types import a2a_pb2
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    UnsupportedOperationError,
)

from weft.app.hosting import Host
from weft.app.serving.places import here
from weft.server.a2a import extension, states
from weft.server.a2a.cards import Cards
from weft.server.a2a.contexts import READ, START, WRITE, caller, demand
from weft.server.a2a.dialogue import Dialogue, Taken
from weft.server.a2a.errors import in_words_of_a2a
from weft.server.a2a.listing import Listing
from weft.server.a2a.messages import agent_message
from weft.server.a2a.push import Push
from weft.server.a2a.results import answer_artifact
from weft.server.a2a.stream import Update, Updates
from weft.server.a2a.tasks import Tasks

Event = a2a_pb2.Task | a2a_pb2.Message | Update
_CANCEL_S = 10.0
"""How long a cancel may take to be heard by whoever drives the run."""


class Operations(RequestHandler):
    """Implements every operation, whatever transport it comes by."""

    def __init__(
        self, host: Host, tasks: Tasks, dialogue: Dialogue, listing: Listing, push: Push, cards: Cards, url: str
    ) -> None:
        self._host = host
        self._tasks = tasks
        self._dialogue = dialogue
        self._listing = listing
        self._push = push
        self._cards = cards
        self._url = url

    @validate_request_params
    async def on_message_send(
        self, params: a2a_pb2.SendMessageRequest, context: ServerCallContext
    ) -> a2a_pb2.Task | a2a_pb2.Message:
        """Begin a task or go on with one, and wait until it ends or asks for something, unless told not to."""
        with in_words_of_a2a():
            history = _history(params.configuration)
            taken = await self._take(params, context)
            if taken.refused is not None:
                return taken.refused
            if not params.configuration.return_immediately and taken.moved:
                await self._settled(taken)
            if taken.as_message and (message := self._message(taken.run_id)) is not None:
                return message
            return await self._tasks.now(taken.run_id, history=history)

    @validate_request_params
    async def on_message_send_stream(
        self, params: a2a_pb2.SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """The same, with everything that happens meanwhile; the stream stays open while the task waits."""
        with in_words_of_a2a():
            history = _history(params.configuration)
            taken = await self._take(params, context)
            if taken.refused is not None:
                yield taken.refused
                return
            if taken.as_message:
                await self._settled(taken)
                if (message := self._message(taken.run_id)) is not None:
                    yield message
                    return
            task = await self._first(taken, history)
            yield task
            async with aclosing(self._updates(taken).follow()) as updates:
                async for update in updates:
                    yield update

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: a2a_pb2.SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """The task as it is, and then what happens to it until it ends."""
        with in_words_of_a2a():
            demand(caller(context), READ)
            if self._tasks.refused(params.id, caller(context)) is not None:
                raise UnsupportedOperationError(message="the task was rejected: nothing happens to it any more")
            run = self._tasks.own(params.id, caller(context), params.tenant or context.tenant)
            if run.ended:
                raise UnsupportedOperationError(message=f"the task has ended ({run.status}); GetTask shows it")
            gates = {gate.id: gate for gate in self._tasks.gates(run)}
            place = here(self._host.journal, run.id, self._host.clock.micros())
            yield await self._tasks.now(run.id)
            updates = self._updates(Taken(run.id, place, gates=gates))
            async with aclosing(updates.follow()) as coming:
                async for update in coming:
                    yield update

    @validate_request_params
    async def on_get_task(self, params: a2a_pb2.GetTaskRequest, context: ServerCallContext) -> a2a_pb2.Task:
        """The task as it is."""
        with in_words_of_a2a():
            demand(caller(context), READ)
            history = params.history_length if params.HasField("history_length") else None
            _check_history(history)
            refused = self._tasks.refused(params.id, caller(context), history=history)
            if refused is not None:
                return refused
            run = self._tasks.own(params.id, caller(context), params.tenant or context.tenant)
            return await self._tasks.show(run, history=history)

    @validate_request_params
    async def on_list_tasks(
        self, params: a2a_pb2.ListTasksRequest, context: ServerCallContext
    ) -> a2a_pb2.ListTasksResponse:
        """A page of tasks."""
        with in_words_of_a2a():
            demand(caller(context), READ)
            return await self._listing.page(params, caller(context), params.tenant or context.tenant)

    @validate_request_params
    async def on_cancel_task(self, params: a2a_pb2.CancelTaskRequest, context: ServerCallContext) -> a2a_pb2.Task:
        """Cancel a task, and show what has become of it."""
        with in_words_of_a2a():
            who = caller(context)
            demand(who, WRITE)
            if self._tasks.refused(params.id, who) is not None:
                raise TaskNotCancelableError(message="the task was rejected before it began")
            run = self._tasks.own(params.id, who, params.tenant or context.tenant)
            if run.ended or not await self._host.cancel(run.id, reason="cancelled over A2A", principal=who.principal):
                raise TaskNotCancelableError(message=f"the task has ended ({run.status})")
            try:
                async with asyncio.timeout(_CANCEL_S):
                    async with aclosing(self._host.tails.follow(run.id, after=run.head_seq)) as frames:
                        async for _ in frames:
                            pass
            except TimeoutError:
                pass  # it is being cancelled: what it does on the way back takes its time
            return await self._tasks.now(run.id)

    @validate_request_params
    async def on_create_task_push_notification_config(
        self, params: a2a_pb2.TaskPushNotificationConfig, context: ServerCallContext
    ) -> a2a_pb2.TaskPushNotificationConfig:
        """Have an address told what happens to a task from now on."""
        with in_words_of_a2a():
            demand(caller(context), START)
            run = self._tasks.own(params.task_id, caller(context), params.tenant or context.tenant)
            place = here(self._host.journal, run.id, self._host.clock.micros())
            return await self._push.create(run, params, caller(context), place)

    @validate_request_params
    async def on_get_task_push_notification_config(
        self, params: a2a_pb2.GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> a2a_pb2.TaskPushNotificationConfig:
        """One address that is told."""
        with in_words_of_a2a():
            demand(caller(context), READ)
            return self._push.get(
                self._tasks.own(params.task_id, caller(context), params.tenant or context.tenant), params.id
            )

    @validate_request_params
    async def on_list_task_push_notification_configs(
        self, params: a2a_pb2.ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> a2a_pb2.ListTaskPushNotificationConfigsResponse:
        """The addresses that are told: all on one page, for they are few."""
        with in_words_of_a2a():
            demand(caller(context), READ)
            run = self._tasks.own(params.task_id, caller(context), params.tenant or context.tenant)
            return a2a_pb2.ListTaskPushNotificationConfigsResponse(configs=self._push.list(run))

    @validate_request_params
    async def on_delete_task_push_notification_config(
        self, params: a2a_pb2.DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Tell an address no more."""
        with in_words_of_a2a():
            demand(caller(context), START)
            run = self._tasks.own(params.task_id, caller(context), params.tenant or context.tenant)
            await self._push.delete(run, params.id, caller(context))

    async def on_get_extended_agent_card(
        self, params: a2a_pb2.GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> a2a_pb2.AgentCard:
        """The card that only those see who may call."""
        with in_words_of_a2a():
            return self._cards.extended(params.tenant or context.tenant, tenant=caller(context).tenant)

    async def _take(self, params: a2a_pb2.SendMessageRequest, context: ServerCallContext) -> Taken:
        who, given = caller(context), params.configuration
        demand(who, START, *((extension.RIGHT,) if params.message.task_id else ()))
        push = given.task_push_notification_config if given.HasField("task_push_notification_config") else None
        if push is not None:
            # Before anything begins: an address that is denied denies the whole request.
            self._push.checked("", push, who)
        taken = await self._dialogue.take(params.message, who, params.tenant or context.tenant)
        if push is not None and taken.refused is None:
            await self._push.create(self._host.journal.runs.get(taken.run_id), push, who, taken.place)
        return taken

    def _updates(self, taken: Taken) -> Updates:
        run = self._host.journal.runs.get(taken.run_id)
        return Updates(self._host, run, place=taken.place, open_gates=taken.gates, url=self._url)

    async def _first(self, taken: Taken, history: int | None) -> a2a_pb2.Task:
        """The task with which a stream begins: of one that was begun just now, before anything has happened."""
        task = await self._tasks.now(taken.run_id, history=history, results=bool(taken.place.after))
        if not taken.place.after:
            run = self._host.journal.runs.get(taken.run_id)
            at = states.timestamp(run.created_at)
            task.status.CopyFrom(a2a_pb2.TaskStatus(state=states.State.TASK_STATE_SUBMITTED, timestamp=at))
        return task

    async def _settled(self, taken: Taken) -> None:
        """Return when the task has ended or asks for something, or when the service stops."""
        async with aclosing(self._updates(taken).follow()) as updates:
            async for update in updates:
                if isinstance(update, a2a_pb2.TaskStatusUpdateEvent) and (
                    update.status.state in states.TERMINAL | states.INTERRUPTED
                ):
                    return

    def _message(self, run_id: str) -> a2a_pb2.Message | None:
        """The answer of a run that has completed, as a message."""
        ended = self._host.replies.ended(run_id)
        if ended is None or ended.status != "completed":
            return None
        run = self._host.journal.runs.get(run_id)
        outputs = ended.outputs.get("response") if isinstance(ended.outputs, dict) else ended.outputs
        parts = list(answer_artifact(outputs).parts)
        return agent_message(f"{run_id}:answer", parts, context=run.session or run.id)


def _history(configuration: a2a_pb2.SendMessageConfiguration) -> int | None:
    history = configuration.history_length if configuration.HasField("history_length") else None
    _check_history(history)
    return history


def _check_history(length: int | None) -> None:
    if length is not None and length < 0:
        raise InvalidParamsError(message="historyLength is not negative")
