"""Opens responses and reads them back: all that is known of one is in its run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from weft.app.serving.automatic import AUTO, planning_inputs
from weft.app.serving.items import Ended, Item
from weft.app.serving.places import BEGINNING, Place
from weft.app.serving.turns import Made, Turn
from weft.core.errors import InputError, LimitError, NotFoundError, WeftError
from weft.engine.questions import Answer
from weft.server.caller import Caller
from weft.server.openai import chunks, errors
from weft.server.openai.attending import Attending
from weft.server.openai.following import Paused, stopped_at, stopping, turn_of
from weft.server.openai.handing import hand_in
from weft.server.openai.response_events import Narration, after, events, framed
from weft.server.openai.response_ids import ResponseId
from weft.server.openai.response_request import (
    Approval,
    InputItem,
    ResponseRequest,
    approvals,
    entries_of,
    line_of,
    said,
    said_of,
)
from weft.server.openai.targets import Targets, refuse_tools, takes_tools
from weft.server.openai.turning import Begun, begin
from weft.server.rooms import Rooms
from weft.store.runs import Run

_SCOPE = "openai/responses"
MAX_BEFORE = 200
"""Responses that one may go back to."""


@dataclass(frozen=True, slots=True)
class Opened(Begun):
    """The run of a response, and the place at which the response begins."""

    place: Place = BEGINNING

    @property
    def id(self) -> ResponseId:
        """The response's own."""
        return ResponseId(self.run_id, self.place)


class Desk:
    """Everything about responses that is not HTTP."""

    def __init__(self, rooms: Rooms, targets: Targets) -> None:
        self._host = rooms.host
        self._url = rooms.url
        self._targets = targets

    async def open(self, body: ResponseRequest, request: Request, by: Caller) -> Opened:
        """Start the run of a response, or have one go on that waits for the approval in it.

        Raises:
            WeftError: it cannot be started, or the approval is not theirs to give.
        """
        items = body.items
        if answers := approvals(items):
            return await self._approved(body, answers, by)
        by.demand("runs:start", "/v1/responses")
        results = [(one.call_id, said_of(one)) for one in items if one.type == "function_call_output"]
        if (awaited := await hand_in(self._host, results, by)) is not None:
            return Opened(awaited.run.id, awaited.run.session, place=awaited.place)
        before: list[dict[str, Any]] = []
        session = body.named
        if body.previous_response_id is not None:
            previous = self.own(body.previous_response_id, by)
            before, session = await self._before(previous), self._host.journal.runs.get(previous.run_id).session
        turn = replace(self._turn(body, [*before, *entries_of(items)], by), session=session, about=body.about())
        lines = [line_of(one) for one in [*before, *entries_of(items)]]
        begun = await begin(self._host, turn, body, request, lines)
        return Opened(begun.run_id, begun.session, begun.turn)

    def own(self, text: str, by: Caller) -> ResponseId:
        """The id that `text` is, of a response that is kept and the caller's tenant's.

        Raises:
            NotFoundError: there is none.
        """
        id_ = ResponseId.parse(text)
        try:
            run = self._host.journal.runs.get(id_.run_id, tenant=by.tenant)
        except NotFoundError:
            run = None
        about = _about(run) if run else {}
        if run is None or not about or about.get("store") is False:
            raise NotFoundError(f"there is no response {text!r}", param="response_id")
        if id_.place.after > run.head_seq:
            raise NotFoundError(f"there is no response {text!r}", param="response_id")
        return id_

    async def stream(
        self, id_: ResponseId, *, starting_after: int = 0, attending: Attending | None = None
    ) -> AsyncGenerator[bytes]:
        """The events of a response on the wire."""
        narration = self._narration(id_)
        items = turn_of(self._host, self._url, id_.run_id, id_.place)
        async with aclosing(events(narration, items)) as told:
            async for event in told:
                rest = after(event, starting_after)
                if rest is not None:
                    yield framed(rest)
        if attending is not None:
            attending.answered = True
        if narration.outcome.usage is None:
            yield broken(stopping(), starting_after)

    async def whole(self, id_: ResponseId) -> dict[str, Any]:
        """A response once it has come to its end.

        Raises:
            TransientError: the service stops before that.
        """
        narration = self._narration(id_)
        items = turn_of(self._host, self._url, id_.run_id, id_.place)
        async with aclosing(events(narration, items)) as told:
            async for _ in told:
                pass
        if narration.outcome.usage is None:
            raise stopping()
        return narration.response()

    async def show(self, id_: ResponseId) -> dict[str, Any]:
        """A response as it stands."""
        run = self._host.journal.runs.get(id_.run_id)
        if self._is_over(id_, run):
            return await self.whole(id_)
        return self._frame(id_, run) | {"status": "queued" if run.status == "queued" else "in_progress"}

    def input_items(self, id_: ResponseId) -> list[dict[str, Any]]:
        """What a response was asked with, as items with ids."""
        about = _about(self._host.journal.runs.get(id_.run_id))
        found = []
        for number, one in enumerate(about.get("input") or () if not id_.place.after else ()):
            item = InputItem.model_validate(one)
            entry: dict[str, Any] = {"id": id_.part("in", number), "type": item.type}
            if item.type == "message":
                kind = "output_text" if item.role == "assistant" else "input_text"
                content = item.content if isinstance(item.content, list) else None
                parts = [part.model_dump(exclude_none=True) for part in content] if content else None
                entry |= {"role": item.role, "status": "completed"}
                entry["content"] = parts or [{"type": kind, "text": item.content or ""}]
            found.append({**one, **entry})
        return found

    def _is_over(self, id_: ResponseId, run: Run) -> bool:
        """Whether a response has come to its end, which is that of the run or the first time after that people were asked."""
        return run.ended or stopped_at(self._host, run.id, id_.place) is not None

    def _turn(self, body: ResponseRequest, entries: list[dict[str, Any]], by: Caller) -> Turn:
        words = said(entries)
        target = self._targets.target(body.model, by, body.weft.mode, words, body.offered()).one
        if body.tools and not takes_tools(target):
            raise refuse_tools(body.model)
        if isinstance(target, Made):
            inputs = planning_inputs(words) if target.name == AUTO else body.relay(entries)
            return Turn(
                target=target, messages=words, inputs=inputs, owner=by.owner, choice=self._host.choice, scope=_SCOPE
            )
        return Turn(
            target=target,
            messages=words,
            inputs=body.weft.inputs,
            tools=body.offered(),
            owner=by.owner,
            choice=self._host.choice,
            scope=_SCOPE,
        )

    async def _approved(self, body: ResponseRequest, answers: list[Approval], by: Caller) -> Opened:
        """Decide the gates that a response has ended with, and go on with its run."""
        by.demand("gates:decide", "/v1/responses")
        if body.previous_response_id is None:
            raise InputError("an approval answers a response", fix="name it as previous_response_id", param="input")
        id_ = self.own(body.previous_response_id, by)
        last = await self._last(id_)
        gates = {gate.id: gate for gate in last.gates} if isinstance(last, Paused) else {}
        for one in answers:
            if one.gate not in gates:
                raise NotFoundError(f"that response asks for no approval {one.gate[:80]!r}", param="input")
        for one in answers:
            gate = gates[one.gate]
            # What is approved is what the gate holds, whatever else the client sends.
            verdict = "approve" if one.approve else "reject"
            answer = Answer(by=by.principal, verdict=verdict, why=one.reason, saw=gate.request.get("shown"))
            await self._host.decide(gate.run_id, gate.id, answer)
        run = self._host.journal.runs.get(id_.run_id)
        return Opened(run.id, run.session, place=last.place if isinstance(last, Paused) else BEGINNING)

    async def _before(self, id_: ResponseId) -> list[dict[str, Any]]:
        """The conversation up to and with a response.

        Raises:
            LimitError: it goes back too far.
        """
        found: list[list[dict[str, Any]]] = []
        at: ResponseId | None = id_
        while at is not None:
            if len(found) >= MAX_BEFORE:
                raise LimitError(f"a conversation goes back {MAX_BEFORE} responses at most", fix="begin a new one")
            about = _about(self._host.journal.runs.get(at.run_id))
            items = [InputItem.model_validate(one) for one in about.get("input") or ()] if not at.place.after else []
            found.append([*entries_of(items), *await self._answer(at)])
            previous = about.get("previous_response_id")
            at = ResponseId(at.run_id) if at.place.after else ResponseId.parse(previous) if previous else None
        return [entry for entries in reversed(found) for entry in entries]

    async def _answer(self, id_: ResponseId) -> list[dict[str, Any]]:
        last = await self._last(id_)
        if isinstance(last, Paused):
            return []
        if not isinstance(last, Ended):
            raise NotFoundError("the response before has not ended", param="previous_response_id")
        if (error := chunks.error_of(last)) is not None:
            raise InputError(f"the response before has failed: {error.message}", param="previous_response_id")
        calls = chunks.answer_of(last).get("calls")
        return [{"role": "assistant", "content": last.text, **({"calls": calls} if calls else {})}]

    async def _last(self, id_: ResponseId) -> Item | None:
        """The end of a response; None while it is under way."""
        run = self._host.journal.runs.get(id_.run_id)
        last: Item | None = None
        if self._is_over(id_, run):
            async with aclosing(turn_of(self._host, self._url, id_.run_id, id_.place)) as items:
                async for item in items:
                    last = item
        return last if isinstance(last, Ended | Paused) else None

    def _narration(self, id_: ResponseId) -> Narration:
        return Narration(id_, self._frame(id_, self._host.journal.runs.get(id_.run_id)))

    def _frame(self, id_: ResponseId, run: Run) -> dict[str, Any]:
        about = _about(run)
        given = {name: about.get(name) for name in ("instructions", "max_output_tokens", "temperature", "top_p")}
        previous = str(ResponseId(id_.run_id)) if id_.place.after else about.get("previous_response_id")
        return {
            "id": str(id_),
            "object": "response",
            "created_at": run.created_at // 1_000_000,
            "status": "in_progress",
            "background": bool(about.get("background")),
            "error": None,
            "incomplete_details": None,
            **given,
            "model": about.get("model", ""),
            "output": [],
            "parallel_tool_calls": about.get("parallel_tool_calls") is not False,
            "previous_response_id": previous,
            "reasoning": about.get("reasoning") or {"effort": None, "summary": None},
            "store": about.get("store") is not False,
            "text": about.get("text") or {"format": {"type": "text"}},
            "tool_choice": about.get("tool_choice") or "auto",
            "tools": about.get("tools") or [],
            "truncation": "disabled",
            "usage": None,
            "metadata": about.get("metadata") or {},
            "weft": {"run_id": run.id, "session": run.session},
        }


def _about(run: Run) -> dict[str, Any]:
    found = run.options.get("about")
    return found if isinstance(found, dict) and found.get("kind") == "response" else {}


def broken(error: WeftError, number: int = 0) -> bytes:
    """The last event of a stream that ends before its response does."""
    return framed({"type": "error", "sequence_number": number, **_said(error)})


def _said(error: WeftError) -> dict[str, Any]:
    return {"code": error.code, "message": errors.said(error), "param": None}
