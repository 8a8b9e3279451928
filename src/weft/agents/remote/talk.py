"""One call of a remote agent: said once, heard to its end, its questions asked here.

What is sent carries the key of its step as the message's id, so that a send that is repeated after a crash is the same message to
an agent that looks at it. The task's id is in the journal as soon as it is known: from then on a crash leads back to the same task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from a2a.client.errors import A2AClientError
from a2a.types import a2a_pb2
from a2a.utils.errors import A2AError, TaskNotFoundError, UnsupportedOperationError

from weft.agents.remote.bridge import Denied
from weft.agents.remote.heard import Heard
from weft.agents.remote.peers import Peer
from weft.agents.remote.questions import answer_to, question
from weft.core.errors import Place, PolicyError, ToolError, TransientError, WeftError
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call

MOST_QUESTIONS = 50
_LOOKS = (0.5, 1.0, 2.0, 5.0)
"""Seconds between looks at a task whose agent does not stream, or whose stream broke off."""
_BROKEN = 12
"""Streams that may break off one after the other with nothing new before the agent is taken for gone."""
_CANCEL_S = 5.0
_ENDED = {"COMPLETED", "FAILED", "CANCELED", "REJECTED", "MESSAGE"}
_ASKS = {"INPUT_REQUIRED", "AUTH_REQUIRED"}


class Talk:
    """One call of a remote agent; `mask` takes secrets out of what it says."""

    def __init__(self, peer: Peer, call: Call, prompt: str, context: StepContext, mask: Callable[[Any], Any]) -> None:
        self._peer = peer
        self._call = call
        self._prompt = prompt
        self._context = context
        self._heard = Heard(context.emit, peer.card.name, mask)
        self._live: AsyncIterator[a2a_pb2.StreamResponse] | None = None
        self._begun = ""
        """The task that it has become, known before that is recorded."""

    async def through(self) -> dict[str, Any]:
        """The value of the call.

        Raises:
            WeftError: the agent cannot be reached, refuses or fails.
            StepSuspended: it asks something that nobody has answered yet.
        """
        seen: dict[str, Any] = {}
        try:
            first = a2a_pb2.Message(role=a2a_pb2.ROLE_USER, parts=[a2a_pb2.Part(text=self._prompt)])
            first.context_id = self._earlier()
            seen = await self._send("send", first)
            for turn in range(MOST_QUESTIONS):
                if seen["state"] not in _ENDED:
                    seen = {**seen, **await self._follow(f"wait[{turn}]", seen)}
                if seen["state"] in _ENDED:
                    return self._value(seen)
                said = await self._context.ask(f"gate[{turn}]", question(seen, self._call.target, self._peer.url))
                answer = answer_to(seen, said, self._peer.extensions)
                answer.task_id, answer.context_id = seen["task"], seen["context"]
                seen = {**seen, **await self._send(f"answer[{turn}]", answer), "answered": seen["mark"]}
            raise ToolError(f"the agent {self._call.target!r} asked more than {MOST_QUESTIONS} questions")
        except asyncio.CancelledError:
            if (task := seen.get("task") or self._begun) and not self._context.leaving:
                await call_off(self._peer, task)
            raise
        finally:
            await self._hang_up()

    def _earlier(self) -> str:
        """The context in which this agent was asked before, in this conversation."""
        for path in reversed(self._context.history):
            remote = (self._context.recorded(path) or {}).get("remote") or {}
            if remote.get("url") == self._peer.url:
                return str(remote["context"])
        return ""

    async def _send(self, name: str, message: a2a_pb2.Message) -> dict[str, Any]:
        async def body(context: StepContext) -> Done:
            message.message_id = context.key
            request = a2a_pb2.SendMessageRequest(message=message)
            request.configuration.return_immediately = not self._peer.card.capabilities.streaming
            await self._hang_up()
            with _told(self._call.target, context.path):
                self._live = aiter(self._peer.client.send_message(request))
                value = await self._first_words(self._live)
            return Done(value)

        shown = {"agent": self._call.target, "url": self._peer.url, "task": message.task_id}
        value: dict[str, Any] = await self._context.step(
            name, body, type="a2a", effect="idempotent", input=shown, target=self._peer.card.name
        )
        return value

    async def _first_words(self, stream: AsyncIterator[a2a_pb2.StreamResponse]) -> dict[str, Any]:
        """What an answer begins with. Who is cancelled before it comes waits for it a moment: what was sent may be at work by now."""
        coming = asyncio.ensure_future(anext(stream))
        try:
            first = await asyncio.shield(coming)
        except asyncio.CancelledError:
            if not self._context.leaving:
                await asyncio.wait([coming], timeout=_CANCEL_S)
            coming.cancel()
            (answer,) = await asyncio.gather(coming, return_exceptions=True)
            if not isinstance(answer, BaseException):
                self._begun = self._heard.first(answer).get("task", "")
            raise
        value = self._heard.first(first)
        self._begun = value.get("task", "")
        return value

    async def _follow(self, name: str, seen: dict[str, Any]) -> dict[str, Any]:
        async def body(context: StepContext) -> Done:
            with _told(self._call.target, context.path):
                return Done(await self._until_settled(seen))

        value: dict[str, Any] = await self._context.step(
            name, body, type="a2a", effect="idempotent", input={"task": seen["task"]}, target=self._peer.card.name
        )
        return value

    async def _until_settled(self, seen: dict[str, Any]) -> dict[str, Any]:
        """Hear the task until it ends or asks something new.

        Raises:
            TransientError: its streams break off again and again with nothing new.
        """
        broken = 0
        while broken <= _BROKEN:
            news = self._heard.news
            streamed = await self._listen(seen)
            now = streamed or await self._look(seen["task"], last=broken == _BROKEN)
            if now is not None and _settled(now, seen):
                return now
            quiet = self._heard.news == news and (now is None or self._peer.card.capabilities.streaming)
            broken = broken + 1 if quiet else 0
            await asyncio.sleep(_LOOKS[min(broken, len(_LOOKS) - 1)])
        raise TransientError(f"the agent {self._call.target!r} breaks off its streams", fix="try again later")

    async def _listen(self, seen: dict[str, Any]) -> dict[str, Any] | None:
        """Hear a stream to its end, or to the end of the task; None when it broke off before."""
        stream, self._live = self._live or self._subscribe(seen["task"]), None
        if stream is None:
            return None
        try:
            async for event in stream:
                now = self._heard.next(event)
                if _settled(now, seen):
                    return now
        except UnsupportedOperationError:
            pass  # it has ended meanwhile: what it has become is read from the task
        except A2AClientError as error:
            if isinstance(error.__cause__, Denied):
                raise
        return None

    async def _look(self, task: str, *, last: bool) -> dict[str, Any] | None:
        """The task as it is; None when the agent cannot be reached and this is not the `last` try."""
        try:
            return self._heard.whole(await self._peer.client.get_task(a2a_pb2.GetTaskRequest(id=task)))
        except A2AClientError as error:
            if last or isinstance(error.__cause__, Denied):
                raise
            return None

    def _subscribe(self, task: str) -> AsyncIterator[a2a_pb2.StreamResponse] | None:
        if not self._peer.card.capabilities.streaming:
            return None
        return aiter(self._peer.client.subscribe(a2a_pb2.SubscribeToTaskRequest(id=task)))

    async def _hang_up(self) -> None:
        stream, self._live = self._live, None
        close = getattr(stream, "aclose", None)
        if close is not None:
            with suppress(A2AError):
                await close()

    def _value(self, seen: dict[str, Any]) -> dict[str, Any]:
        name, place = self._call.target, Place(path=self._context.path)
        why = f": {seen['says']}" if seen.get("says") else ""
        if seen["state"] == "REJECTED":
            raise PolicyError(f"the agent {name!r} refused the task{why}", fix="ask for something else", place=place)
        if seen["state"] in {"FAILED", "CANCELED"}:
            how = "failed" if seen["state"] == "FAILED" else "was cancelled on its side"
            raise ToolError(f"the agent {name!r} {how}{why}", fix="look at the task where it ran", place=place)
        return {
            **(self._call.input.get("facts") or {}),
            "response": seen["response"],
            "agent": name,
            "prompt": self._prompt,
            "status": "completed",
            "tokens_estimated": 0,
            "messages": [],
            "remote": {"url": self._peer.url, "task": seen["task"], "context": seen["context"]},
        }


def _settled(now: dict[str, Any], seen: dict[str, Any]) -> bool:
    """Whether the task has ended, or asks something else than what was answered."""
    return now["state"] in _ENDED or (now["state"] in _ASKS and now["mark"] != seen.get("answered"))


async def call_off(peer: Peer, task: str) -> None:
    """Ask an agent to stop; that it does not hear changes nothing here."""
    with suppress(A2AError, TimeoutError):
        async with asyncio.timeout(_CANCEL_S):
            await peer.client.cancel_task(a2a_pb2.CancelTaskRequest(id=task))


class _told:  # noqa: N801 -- used as a statement
    """Every error of the protocol as one of ours."""

    def __init__(self, agent: str, path: str) -> None:
        self._agent = agent
        self._place = Place(path=path)

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, A2AError | StopAsyncIteration):
            return
        cause = error.__cause__
        if isinstance(cause, Denied):
            raise cause.error from error
        raise self._ours(error) from error

    def _ours(self, error: BaseException) -> WeftError:
        text = f"the agent {self._agent!r}: {str(error)[:500] or type(error).__name__}"
        if isinstance(error, TaskNotFoundError):
            return ToolError(f"{text} (its task is gone)", fix="run it again", place=self._place)
        if isinstance(error, A2AClientError | StopAsyncIteration):
            return TransientError(text, fix="is it there? try again later", place=self._place)
        return ToolError(text, fix="correct what it is asked", place=self._place)
