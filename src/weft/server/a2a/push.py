"""Push notifications: each update of a task is posted to the addresses that its client named, in order, also after a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from a2a.types import a2a_pb2
from a2a.utils.constants import A2A_JSON_MEDIA_TYPE
from google.protobuf.json_format import MessageToJson

from weft.app.auditing.acts import Act
from weft.app.egress import egress_policy
from weft.app.hosting import Host
from weft.app.serving.places import BEGINNING, Place
from weft.core.errors import InputError, NotFoundError, WeftError
from weft.core.ids import uuid7
from weft.net.client import HttpClient
from weft.net.egress import check_url
from weft.server.a2a.contexts import VERSION
from weft.server.a2a.lives import task_id
from weft.server.a2a.stream import Update, Updates
from weft.server.caller import Caller
from weft.store.runs import Run
from weft.store.task_hooks import Hook, drop, put, told

_LOG = logging.getLogger("weft.server.a2a")
MAX_HOOKS, MAX_SECRET = 10, 4_096
_PAUSES = (0.5, 2.0, 8.0)
"""Seconds before each further attempt to deliver."""
_TIMEOUT_S = 15.0
_UNSUITABLE = frozenset({"policy", "input"})
"""What no further attempt can mend: the address may not be called, or what is to be sent cannot be."""


class Push:
    """Keeps whom to tell, and tells them. An address is held to the egress rules when it is named, and again when it is dialled."""

    def __init__(self, host: Host, url: str) -> None:
        self._host = host
        self._url = url
        self._policy = egress_policy(host.settings)
        self._http = HttpClient(self._policy)
        self._telling: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell what is left to be told, until the service stops; the next process goes on from there."""
        for run_id in self._host.journal.hooks.unfinished():
            self.watch(self._host.journal.runs.get(run_id))
        try:
            yield
        finally:
            for task in self._telling.values():
                task.cancel()
            await asyncio.gather(*self._telling.values(), return_exceptions=True)
            await self._http.aclose()

    async def create(
        self, run: Run, given: a2a_pb2.TaskPushNotificationConfig, caller: Caller, place: Place
    ) -> a2a_pb2.TaskPushNotificationConfig:
        """Have somebody told what happens after a place in the run.

        Raises:
            InputError: the address or the credentials cannot be used, or there are too many.
            PolicyError: the address is denied.
        """
        hook = self.checked(run.id, given, caller, place, task=task_id(run))
        there = self._host.journal.hooks.of(run.id, tenant=caller.tenant)
        if len(there) >= MAX_HOOKS and hook.id not in {one.id for one in there}:
            raise InputError(f"a task tells {MAX_HOOKS} addresses at most", fix="delete one first")
        act = Act("webhook.create", f"run/{run.id}", {"host": urlsplit(hook.url).hostname or ""})
        await self._host.trail.act(caller.owner, act, self._host.journal.writer.submit(put(hook)))
        self._forget(hook)
        self.watch(run)
        return config_of(hook)

    def checked(
        self,
        run_id: str,
        given: a2a_pb2.TaskPushNotificationConfig,
        caller: Caller,
        place: Place = BEGINNING,
        *,
        task: str = "",
    ) -> Hook:
        """The hook that a config asks for.

        Raises:
            InputError: the address or the credentials cannot be used.
            PolicyError: the address is denied.
        """
        check_url(given.url, self._policy)
        scheme, secret = given.authentication.scheme, given.authentication.credentials
        for text in (scheme, secret, given.token, given.id):
            if len(text) > MAX_SECRET or not (text.isascii() and text.isprintable()):
                raise InputError("ids, tokens and credentials are short, printable ASCII", fix="send others")
        return Hook(
            tenant=caller.tenant,
            principal=caller.principal,
            run_id=run_id,
            id=given.id or uuid7(),
            url=given.url,
            created_at=self._host.clock.micros(),
            config={"scheme": scheme, "task": task, "since": place.since},
            secret={"credentials": secret, "token": given.token},
            after=place.after,
        )

    def list(self, run: Run) -> list[a2a_pb2.TaskPushNotificationConfig]:
        """Whom a run tells."""
        return [config_of(hook) for hook in self._host.journal.hooks.of(run.id, tenant=run.tenant)]

    def get(self, run: Run, hook_id: str) -> a2a_pb2.TaskPushNotificationConfig:
        """One of them.

        Raises:
            NotFoundError: it is not there.
        """
        for config in self.list(run):
            if config.id == hook_id:
                return config
        raise NotFoundError(
            "there is no such push notification config",
            fix="those of a task are listed by `ListTaskPushNotificationConfigs`",
        )

    async def delete(self, run: Run, hook_id: str, caller: Caller) -> None:
        """Tell it no more; that it is not there is no mistake."""
        for hook in self._host.journal.hooks.of(run.id, tenant=run.tenant):
            if hook.id == hook_id:
                self._forget(hook)
        work = self._host.journal.writer.submit(drop(hook_id, run.id, tenant=run.tenant))
        await self._host.trail.act(caller.owner, Act("webhook.remove", f"run/{run.id}"), work)

    def watch(self, run: Run) -> None:
        """Begin to tell those of a run that are not told yet."""
        for hook in self._host.journal.hooks.of(run.id, tenant=run.tenant):
            if hook.row not in self._telling and not (run.ended and hook.after >= run.head_seq):
                task = asyncio.ensure_future(self._tell(run, hook))
                self._telling[hook.row] = task
                task.add_done_callback(partial(self._done, hook.row))

    def _done(self, row: str, task: asyncio.Task[None]) -> None:
        if self._telling.get(row) is task:
            del self._telling[row]
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a defect while telling of a task", exc_info=error)

    def _forget(self, hook: Hook) -> None:
        task = self._telling.pop(hook.row, None)
        if task is not None:
            task.cancel()

    async def _tell(self, run: Run, hook: Hook) -> None:
        updates = Updates(self._host, run, place=self._place(hook), open_gates={}, url=self._url)
        last = hook.after
        over = False
        async with aclosing(updates.follow()) as coming:
            async for update in coming:
                if updates.seq > last:
                    # What belongs to one event is told as one: after a crash it is told again, never left out.
                    await self._keep(hook, last)
                    last = updates.seq
                if isinstance(update, a2a_pb2.TaskArtifactUpdateEvent) and not update.last_chunk:
                    continue
                if not await self._deliver(hook, update):
                    over = True
                    break
        if over or self._host.journal.runs.get(run.id).ended:
            await self._keep(hook, updates.seq + 1, over=True)

    def _place(self, hook: Hook) -> Place:
        """Where telling begins. What runs below did after the last event that was told is told again, never left out."""
        since: int | None = hook.config.get("since")
        if since is not None and hook.after:
            since = max(
                [since, *(event.at for event in self._host.journal.events(hook.run_id, after=hook.after - 1, limit=1))]
            )
        return Place(hook.after, since)

    async def _keep(self, hook: Hook, after: int, *, over: bool = False) -> None:
        await self._host.journal.writer.submit(told(replace(hook, after=after), after=after, over=over))

    async def _deliver(self, hook: Hook, update: Update) -> bool:
        """Post an update, several times if need be; false when the address can never be told."""
        body = MessageToJson(_response(update), indent=None).encode()
        for pause in (*_PAUSES, None):
            try:
                answer = await self._http.request(
                    "POST", hook.url, headers=_headers(hook), body=body, timeout_s=_TIMEOUT_S
                )
                answer.raise_for_status()
            except WeftError as error:
                _LOG.warning("a push notification of run %s was not taken: %s", hook.run_id, error.message)
                if error.code in _UNSUITABLE:
                    return False
                if not error.retryable or pause is None:
                    return True
                await asyncio.sleep(pause)
            else:
                return True
        return True


def config_of(hook: Hook) -> a2a_pb2.TaskPushNotificationConfig:
    """What is shown of a hook: never its credentials."""
    config = a2a_pb2.TaskPushNotificationConfig(
        id=hook.id,
        task_id=str(hook.config.get("task") or hook.run_id),
        url=hook.url,
        token=hook.secret.get("token", ""),
    )
    if scheme := hook.config.get("scheme"):
        config.authentication.scheme = str(scheme)
    return config


def _headers(hook: Hook) -> Mapping[str, str]:
    headers = {"content-type": A2A_JSON_MEDIA_TYPE, "a2a-version": VERSION}
    if scheme := hook.config.get("scheme"):
        headers["authorization"] = f"{scheme} {hook.secret.get('credentials', '')}".strip()
    if token := hook.secret.get("token"):
        headers["x-a2a-notification-token"] = token
    return headers


def _response(update: Update) -> a2a_pb2.StreamResponse:
    if isinstance(update, a2a_pb2.TaskStatusUpdateEvent):
        return a2a_pb2.StreamResponse(status_update=update)
    return a2a_pb2.StreamResponse(artifact_update=update)
