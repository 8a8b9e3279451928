"""``/v1/chat/completions``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from starlette.requests import Request

from weft.app.serving.automatic import AUTO, planning_inputs
from weft.app.serving.items import Ended, Item, Thought
from weft.app.serving.places import BEGINNING
from weft.app.serving.turns import Made, Turn
from weft.server.caller import Caller
from weft.server.control.routes import allowed
from weft.server.openai import chunks, errors
from weft.server.openai.asking import ChatRequest, tool_of
from weft.server.openai.attending import Attendance, Attending, ClientGone, Stream, while_there
from weft.server.openai.chunks import Completion
from weft.server.openai.following import Paused, link, stopping, turn_of
from weft.server.openai.handing import calls_of, hand_in
from weft.server.openai.targets import Target, Targets, refuse_tools, takes_tools
from weft.server.openai.turning import Begun, begin
from weft.server.rooms import Rooms

By = Annotated[Caller, Depends(allowed("runs:start"))]
_SCOPE = "openai/chat"


def router(rooms: Rooms, targets: Targets, attendance: Attendance) -> APIRouter:
    """The route of chat completions."""
    api = APIRouter(tags=["openai"])
    chat = _Chat(rooms, targets, attendance)

    @api.post("/chat/completions", response_model=None)
    async def complete(body: ChatRequest, request: Request, by: By) -> Response:
        """Answer a conversation; with `stream`, as Server-Sent Events."""
        try:
            return await chat.answer(body, request, by)
        except ClientGone:
            return Response(status_code=499)

    return api


@dataclass(frozen=True, slots=True)
class _Chat:
    rooms: Rooms
    targets: Targets
    attendance: Attendance

    async def answer(self, body: ChatRequest, request: Request, by: Caller) -> Response:
        host = self.rooms.host
        tools = [tool_of(one) for one in body.tools or ()]
        target = self.targets.target(body.model, by, body.weft.mode, body.said(), tools)
        results = [(one.tool_call_id, one.text) for one in body.latest("tool")]
        # Ids of a model as it stands are its provider's.
        passed_on = isinstance(target.one, Made) and target.one.name != AUTO
        awaited = None if passed_on else await hand_in(host, results, by)
        if awaited is not None:
            begun, place = Begun(awaited.run.id, awaited.run.session), awaited.place
        else:
            beginning = begin(host, self._turn(body, target, by), body, request, body.lines())
            begun, place = await self.attendance.begun(request, beginning, stays=body.stays), BEGINNING
        created = host.journal.runs.get(begun.run_id).created_at // 1_000_000
        head = Completion(begun.run_id, body.model, created, place)
        attending = self.attendance.attend(begun.run_id, begun.turn, stays=body.stays)
        if body.stream:
            return Stream(self._stream(head, body, attending, target), attending, begun.headers)
        with attending:
            return await while_there(request, self._whole(head, begun, attending))

    def _turn(self, body: ChatRequest, target: Target, by: Caller) -> Turn:
        if body.tools and not takes_tools(target.one):
            raise refuse_tools(body.model)
        if isinstance(target.one, Made):
            inputs = planning_inputs(body.said()) if target.one.name == AUTO else body.relay()
            choice = self.rooms.host.choice
            return Turn(
                target=target.one, messages=body.said(), inputs=inputs, owner=by.owner, choice=choice, scope=_SCOPE
            )
        return Turn(
            target=target.one,
            messages=body.said(),
            inputs=body.weft.inputs,
            tools=tuple(tool_of(one) for one in body.tools or ()),
            owner=by.owner,
            choice=self.rooms.host.choice,
            scope=_SCOPE,
        )

    async def _stream(
        self, head: Completion, body: ChatRequest, attending: Attending, target: Target
    ) -> AsyncGenerator[bytes]:
        begun = {"run_id": head.run_id, "type": "began", **target.told}
        yield head.chunk({"role": "assistant", "content": ""}, begun)
        last: Item | None = None
        async with aclosing(turn_of(self.rooms.host, self.rooms.url, head.run_id, head.place)) as items:
            async for item in items:
                last = item
                if isinstance(item, Ended | Paused):
                    break
                delta, told = chunks.delta_of(item), chunks.extension(item)
                if told is not None and (delta or body.weft.events):
                    yield head.chunk(delta, told)
        attending.answered = True
        for chunk in self._end(head, last, usage=bool(body.stream_options and body.stream_options.include_usage)):
            yield chunk

    def _end(self, head: Completion, last: Item | None, *, usage: bool) -> list[bytes]:
        """The chunks behind the last item."""
        if not isinstance(last, Ended | Paused):
            return [chunks.failure(stopping())]
        if isinstance(last, Ended) and (error := chunks.error_of(last)) is not None:
            return [chunks.failure(error)]
        told = chunks.ending(last, self._links(last))
        if isinstance(last, Paused):
            calls = calls_of(last)
            pieces = [chunks.call_json(call) | {"index": at} for at, call in enumerate(calls)]
            delta: dict[str, Any] = {"tool_calls": pieces} if calls else {"content": last.text}
            found = [head.chunk(delta, told), head.chunk({}, told, finish="tool_calls" if calls else "stop")]
        else:
            found = [head.chunk({}, told, finish=chunks.finish_of(last))]
        return [*found, *([head.usage(last.usage)] if usage else []), chunks.DONE]

    async def _whole(self, head: Completion, begun: Begun, attending: Attending) -> Response:
        thoughts: list[str] = []
        last: Item | None = None
        async with aclosing(turn_of(self.rooms.host, self.rooms.url, head.run_id, head.place)) as items:
            async for item in items:
                last = item
                if isinstance(item, Thought):
                    thoughts.append(item.text)
                if isinstance(item, Paused):
                    break
        attending.answered = True
        if not isinstance(last, Ended | Paused):
            return errors.answer(stopping())
        if isinstance(last, Ended) and (error := chunks.error_of(last)) is not None:
            response = errors.answer(error, again=False)
            response.headers.update(begun.headers)
            return response
        told = chunks.ending(last, self._links(last))
        if isinstance(last, Paused):
            calls = calls_of(last)
            message: dict[str, Any] = {"role": "assistant", "content": None if calls else last.text, "refusal": None}
            message |= {"tool_calls": [chunks.call_json(call) for call in calls]} if calls else {}
            whole = head.whole(message, "tool_calls" if calls else "stop", last.usage, told)
        else:
            message = chunks.message_of(last, "".join(thoughts))
            whole = head.whole(message, chunks.finish_of(last), last.usage, told)
        return errors.Json(whole, headers=begun.headers)

    def _links(self, item: Ended | Paused) -> dict[str, str]:
        return {gate.id: link(self.rooms.url, gate) for gate in item.gates} if isinstance(item, Paused) else {}
