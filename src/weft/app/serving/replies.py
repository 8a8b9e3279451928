"""A run as a reply: what is said, thought, done and asked in it and in the runs that it starts, in the words of no protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from weft.app.serving.answering import Answering, answering
from weft.app.serving.frames import Frame, frame_of
from weft.app.serving.items import (
    Answered,
    Asked,
    Called,
    Ended,
    Item,
    Said,
    StepBegan,
    StepEnded,
    Thought,
    Waits,
    text_of,
)
from weft.app.serving.places import BEGINNING, MAX_RUNS, Place, last_before
from weft.app.serving.tails import Tails
from weft.core.errors import NotFoundError, WeftError, from_json
from weft.core.usage import Usage
from weft.engine.fold import fold
from weft.engine.shelf import Shelf
from weft.store.journal import Journal

_QUEUE = 16
_PATIENCE = (0.01, 0.05, 0.2, 1.0)
"""Seconds between looks for a child run that is announced and not there yet."""


class Replies:
    """Makes replies of the runs of one journal."""

    def __init__(self, journal: Journal, tails: Tails) -> None:
        self._journal = journal
        self._tails = tails

    async def follow(self, run_id: str, place: Place = BEGINNING) -> AsyncGenerator[Item]:
        """The reply that a run is, from a place on; the last item is `Ended`. Waits do not end it.

        Whoever answers a gate follows from a place that was there before the answer: what comes of it may be there at once.

        Raises:
            NotFoundError: there is no such run.
        """
        async with aclosing(_Reply(self._journal, self._tails, run_id, place).items()) as items:
            async for item in items:
                yield item

    def ended(self, run_id: str) -> Ended | None:
        """How a run ended; None while it is open."""
        run = self._journal.runs.get(run_id)
        if not run.ended:
            return None
        outputs = fold(self._journal.events(run_id)).outputs if run.status == "completed" else None
        return Ended(
            seq=run.head_seq,
            run_id=run_id,
            at=run.updated_at,
            status=run.status,
            text=text_of(outputs),
            outputs=outputs,
            error=from_json(run.error) if run.error else None,
            usage=run.usage,
        )


class _Reply:
    """One reply while it is made: its own run, and those below it."""

    def __init__(self, journal: Journal, tails: Tails, run_id: str, place: Place) -> None:
        self._journal = journal
        self._tails = tails
        self._run_id = run_id
        self._place = place
        self._seq = place.after
        self._rests: int | None = None
        """Since when the run itself waits for something; None while it is at work."""
        self._queue: asyncio.Queue[tuple[str, Frame | None]] = asyncio.Queue(_QUEUE)
        self._tasks: list[asyncio.Task[None]] = []
        self._open: set[str] = set()
        self._left = False
        self._priming = False
        self._children: dict[tuple[str, str], str] = {}
        self._speaking: dict[str, Answering] = {run_id: self._answering(run_id)}
        self._agents: dict[tuple[str, str], str] = {}
        self._begun: dict[tuple[str, str], tuple[str, str]] = {}
        self._spoken: dict[tuple[str, str], str] = {}
        self._called: set[tuple[str, str]] = set()
        self._said = ""

    async def items(self) -> AsyncGenerator[Item]:
        self._prime()
        self._watch(self._run_id, after=self._place.after)
        last: Frame | None = None
        try:
            while self._open:
                run_id, frame = await self._queue.get()
                if frame is None:
                    self._open.discard(run_id)
                    continue
                if run_id == self._run_id and frame.type in {"run.completed", "run.failed", "run.cancelled"}:
                    last = frame
                for item in self._read(run_id, frame):
                    yield item
            for item in self._conclude(last):
                yield item
        finally:
            self._left = True
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _prime(self) -> None:
        """Take in what happened before the first item: who is speaking, and which runs below are under way."""
        under_way = [(self._run_id, self._place.after)]
        for run_id, after in under_way:
            if not after or (run_id != self._run_id and not self._journal.runs.children(run_id)):
                continue
            self._priming = True
            for event in self._journal.events(run_id, limit=after):
                self._read(run_id, frame_of(event))
            self._priming = False
            for key, child in list(self._children.items()):
                if key[0] == run_id and key in self._begun and self._journal.runs.has(child):
                    known = last_before(self._journal, self._run_id, child, self._place)
                    speaks = self._speaks(*key)
                    self._speaking[child] = self._answering(child) if speaks else Answering()
                    self._watch(child, after=known)
                    under_way.append((child, known))

    def _watch(self, run_id: str, *, after: int = 0, speaks: bool | None = None) -> None:
        """Have the frames of a run come into the queue; a child run, of which is known whether it `speaks`, may be yet to come."""
        if run_id in self._open or len(self._tasks) >= MAX_RUNS:
            return  # what more of them do is seen in what their parents say
        self._open.add(run_id)

        async def read() -> None:
            try:
                for pause in _PATIENCE:
                    if self._journal.runs.has(run_id):
                        break
                    await asyncio.sleep(pause)
                if speaks is not None:
                    self._speaking[run_id] = self._answering(run_id) if speaks else Answering()
                async with aclosing(self._tails.follow(run_id, after=after)) as frames:
                    async for frame in frames:
                        await self._queue.put((run_id, frame))
            except NotFoundError:
                pass  # its parent was stopped before it began, or it was deleted
            finally:
                if not self._left:
                    await self._queue.put((run_id, None))

        self._tasks.append(asyncio.ensure_future(read()))

    def _answering(self, run_id: str) -> Answering:
        try:
            return answering(Shelf(self._journal).load(self._journal.runs.get(run_id).plan_hash))
        except WeftError:
            return Answering()  # a plan of another version: what it answers is told at its end

    def _read(self, run_id: str, frame: Frame) -> list[Item]:
        where: dict[str, Any] = {"seq": self._seq, "run_id": run_id, "path": frame.path, "at": frame.at}
        key, data = (run_id, frame.path), frame.data
        if run_id == self._run_id:
            where["seq"] = self._seq = frame.seq
            if not frame.delta:
                self._rests = frame.at if frame.type == "run.waiting" else None
        match frame.type:
            case "delta":
                # A step's beginning may become durable after its first words are heard.
                self._agents.setdefault(key, str(data.get("agent", "")))
                return self._delta(key, data, where)
            case "step.started":
                return self._began(key, data, where)
            case "step.completed" | "step.failed":
                return self._step_ended(key, data, where)
            case _:
                return self._told(frame, where)

    def _told(self, frame: Frame, where: dict[str, Any]) -> list[Item]:
        """What a run says of itself and of its gates."""
        data = frame.data
        match frame.type:
            case "gate.opened":
                return [Asked(**where, gate=data["gate"], request=data)]
            case "gate.decided":
                return [Answered(**where, gate=data["gate"], decision=data)]
            case "run.waiting" if self._rests is not None and frame.at >= self._rests:
                # The run itself; or one below it, which has gone on and come to rest while those above it wait.
                return [Waits(**{**where, "run_id": self._run_id}, waits=tuple(data.get("waits") or ()))]
            case _:
                return []

    def _began(self, key: tuple[str, str], data: Mapping[str, Any], where: Mapping[str, Any]) -> list[Item]:
        type_, target = str(data.get("type", "")), str(data.get("target", ""))
        self._begun[key] = (type_, target)
        if type_ in {"agent", "model"}:
            self._agents[key] = target
        if type_ == "child" and isinstance(child := data.get("run"), str):
            self._children[key] = child
            if not self._priming:
                self._watch(child, speaks=self._speaks(*key))
        return [StepBegan(**where, type=type_, target=target, input=data.get("input"))]

    def _speaks(self, run_id: str, path: str) -> bool:
        return run_id in self._speaking and path in self._speaking[run_id].paths

    def _is_late(self, run_id: str, path: str) -> bool:
        return run_id in self._speaking and path in self._speaking[run_id].late

    def _delta(self, key: tuple[str, str], data: Mapping[str, Any], where: Mapping[str, Any]) -> list[Item]:
        agent = self._agents.get(key, "")
        if thought := data.get("thought"):
            return [Thought(**where, agent=agent, text=str(thought))]
        if isinstance(call := data.get("call"), Mapping):
            self._called.add(key)
            return [_called(call, agent, where)] if self._speaks(*key) else []
        if self._is_late(*key):
            return []  # see `_on_the_way`
        text = str(data.get("text", ""))
        known, at = self._spoken.get(key, ""), data.get("at")
        if at is not None and at > len(known):
            return []  # the words before it were not heard: the end of the step has all of them
        over = known[at:] if at is not None else ""
        if text.startswith(over):
            return self._heard(key, text[len(over) :], where)
        # The step is tried again: the same is not said twice, and other words than before cannot take their place.
        return [] if over.startswith(text) or self._speaks(*key) else self._heard(key, text, where)

    def _heard(self, key: tuple[str, str], text: str, where: Mapping[str, Any]) -> list[Item]:
        if not text:
            return []
        agent = self._agents.get(key, "")
        self._spoken[key] = self._spoken.get(key, "") + text
        if self._speaks(*key):
            self._said += text
            return [Said(**where, agent=agent, text=text)]
        return [Thought(**where, agent=agent, text=text)]

    def _step_ended(self, key: tuple[str, str], data: Mapping[str, Any], where: Mapping[str, Any]) -> list[Item]:
        type_, target = self._begun.pop(key, ("", ""))
        type_, target = str(data.get("type") or data.get("call") or type_), str(data.get("target") or target)
        usage = Usage.from_json(data.get("usage") or {})
        error, value = data.get("error"), data.get("value")
        items: list[Item] = []
        if type_ in {"agent", "model"} and error is None and isinstance(value, Mapping) and "response" in value:
            # What was not heard while it came in: the agent was asked by another process, or its model does not stream.
            whole, heard = text_of(value), self._spoken.get(key, "")
            if whole.startswith(heard) and whole != heard:
                items += self._heard(key, whole[len(heard) :], where)
            if key not in self._called and self._speaks(*key):
                agent, calls = self._agents.get(key, ""), value.get("calls") or ()
                items += [_called({"index": at, **call}, agent, where) for at, call in enumerate(calls)]
        elif type_ == "model" and error is None:
            items += self._on_the_way(key, value, where)
        self._spoken.pop(key, None)
        self._called.discard(key)
        return [*items, StepEnded(**where, type=type_, target=target, value=value, error=error, usage=usage)]

    def _on_the_way(self, key: tuple[str, str], value: Any, where: Mapping[str, Any]) -> list[Item]:
        """What an agent said before it called tools, which is known to be no answer now."""
        above = (key[0], key[1].partition("/agent/model[")[0])
        parts = value.get("parts") if isinstance(value, Mapping) else None
        if not self._is_late(*above) or not isinstance(parts, list):
            return []
        text = "".join(str(part.get("content", "")) for part in parts if part.get("part_kind") == "text")
        if not text or not any(part.get("part_kind") == "tool-call" for part in parts):
            return []
        return [Thought(**{**where, "path": above[1]}, agent=self._agents.get(above, ""), text=text)]

    def _conclude(self, last: Frame | None) -> list[Item]:
        ended = Replies(self._journal, self._tails).ended(self._run_id)
        if ended is None or last is None:
            return []
        items: list[Item] = []
        said = self._said
        if ended.status == "completed" and ended.text.startswith(said) and ended.text != said:
            rest = ended.text[len(said) :]
            items.append(Said(seq=self._seq, run_id=self._run_id, at=last.at, agent="", text=rest))
            said = ended.text
        return [*items, replace(ended, said=said == ended.text)]


def _called(call: Mapping[str, Any], agent: str, where: Mapping[str, Any]) -> Called:
    said: dict[str, Any] = {name: str(call.get(name) or "") for name in ("name", "arguments")}
    return Called(**where, agent=agent, index=int(call["index"]), call_id=str(call.get("id") or ""), **said)
