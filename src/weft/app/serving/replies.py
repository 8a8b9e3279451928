"""A run as a reply: what is said, thought, done and asked in it and in the runs that it starts, in the words of no protocol."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from weft.app.serving.answering import answering
from weft.app.serving.tails import Frame, Tails, frame_of
from weft.core.errors import NotFoundError, WeftError, from_json
from weft.core.usage import Usage
from weft.engine.fold import fold
from weft.engine.shelf import Shelf
from weft.store.journal import Journal

_QUEUE = 256
_PATIENCE = (0.01, 0.05, 0.2, 1.0)
"""Seconds between looks for a child run that is announced and not there yet."""
_MAX_RUNS = 256
"""Child runs that one reply follows; what more of them do is seen in what their parents say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something in a reply. `run_id` and `path` say where; `seq` is the number of the reply's own run's latest event."""

    seq: int
    run_id: str
    path: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Item):
    """A piece of the answer, by the agent whose step is at `path`."""

    agent: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought(Item):
    """A piece of what an agent writes on the way to the answer."""

    agent: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBegan(Item):
    """A step has begun: `type` is ``agent``, ``model``, ``tool``, ``child`` …, `target` which one."""

    type: str
    target: str
    input: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Item):
    """A step has ended, well or with an error (as JSON)."""

    type: str
    target: str
    value: Any = None
    error: Mapping[str, Any] | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Item):
    """A gate has opened: somebody is asked. `request` is as in the journal."""

    gate: str
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Item):
    """A gate was decided."""

    gate: str
    decision: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits(Item):
    """The run waits for something outside, and goes on by itself when that comes. `waits` is as `weft why` reads it."""

    waits: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Item):
    """The run has ended. `text` is its whole answer, `outputs` its outputs; `said` whether the pieces were that text."""

    status: str
    text: str = ""
    outputs: Any = None
    error: WeftError | None = None
    usage: Usage = field(default_factory=Usage)
    said: bool = True


def text_of(outputs: Any) -> str:
    """What the outputs of a run say, as text; data as JSON."""
    response = outputs.get("response") if isinstance(outputs, Mapping) else outputs
    if response is None:
        return ""
    return response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)


class Replies:
    """Makes replies of the runs of one journal."""

    def __init__(self, journal: Journal, tails: Tails) -> None:
        self._journal = journal
        self._tails = tails

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncGenerator[Item]:
        """The reply that a run is, from after event number `after` on; the last item is `Ended`. Waits do not end it.

        Raises:
            NotFoundError: there is no such run.
        """
        async with aclosing(_Reply(self._journal, self._tails, run_id, after).items()) as items:
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

    def __init__(self, journal: Journal, tails: Tails, run_id: str, after: int) -> None:
        self._journal = journal
        self._tails = tails
        self._run_id = run_id
        self._after = after
        self._seq = after
        self._queue: asyncio.Queue[tuple[str, Frame | None]] = asyncio.Queue(_QUEUE)
        self._tasks: list[asyncio.Task[None]] = []
        self._open: set[str] = set()
        self._left = False
        self._priming = False
        self._children: dict[tuple[str, str], str] = {}
        self._speaking: dict[str, re.Pattern[str] | None] = {run_id: self._answering(run_id)}
        self._agents: dict[tuple[str, str], str] = {}
        self._begun: dict[tuple[str, str], tuple[str, str]] = {}
        self._spoken: dict[tuple[str, str], str] = {}
        self._said = ""

    async def items(self) -> AsyncGenerator[Item]:
        self._prime()
        self._watch(self._run_id, after=self._after)
        last: Frame | None = None
        try:
            while self._open:
                run_id, frame = await self._queue.get()
                if frame is None:
                    self._open.discard(run_id)
                    continue
                if run_id == self._run_id:
                    self._seq = frame.seq
                    if frame.type in {"run.completed", "run.failed", "run.cancelled"}:
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
        """Take in what happened before the first item: who is speaking, and which child runs are under way."""
        self._priming = True
        for event in self._journal.events(self._run_id, limit=self._after) if self._after else ():
            self._read(self._run_id, frame_of(event))
        self._priming = False
        for key, run_id in list(self._children.items()):
            if key in self._begun and _exists(self._journal, run_id):
                self._watch(run_id, after=self._journal.runs.get(run_id).head_seq, speaks=self._speaks(*key))

    def _watch(self, run_id: str, *, after: int = 0, speaks: bool | None = None) -> None:
        """Have the frames of a run come into the queue; a child run, of which is known whether it `speaks`, may be yet to come."""
        if run_id in self._open or len(self._tasks) >= _MAX_RUNS:
            return
        self._open.add(run_id)

        async def read() -> None:
            try:
                for pause in _PATIENCE:
                    if _exists(self._journal, run_id):
                        break
                    await asyncio.sleep(pause)
                if speaks is not None:
                    self._speaking[run_id] = self._answering(run_id) if speaks else None
                async with aclosing(self._tails.follow(run_id, after=after)) as frames:
                    async for frame in frames:
                        await self._queue.put((run_id, frame))
            except NotFoundError:
                pass  # its parent was stopped before it began, or it was deleted
            finally:
                if not self._left:
                    await self._queue.put((run_id, None))

        self._tasks.append(asyncio.ensure_future(read()))

    def _answering(self, run_id: str) -> re.Pattern[str] | None:
        try:
            return answering(Shelf(self._journal).load(self._journal.runs.get(run_id).plan_hash))
        except WeftError:
            return None  # a plan of another version: what it answers is told at its end

    def _read(self, run_id: str, frame: Frame) -> list[Item]:
        where: dict[str, Any] = {"seq": self._seq, "run_id": run_id, "path": frame.path, "at": frame.at}
        key, data = (run_id, frame.path), frame.data
        match frame.type:
            case "delta":
                # A step's beginning may become durable after its first words are heard.
                self._agents.setdefault(key, str(data.get("agent", "")))
                return self._heard(key, self._new(key, str(data.get("text", "")), data.get("from")), where)
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
            case "run.waiting" if where["run_id"] == self._run_id:
                return [Waits(**where, waits=tuple(data.get("waits") or ()))]
            case _:
                return []

    def _began(self, key: tuple[str, str], data: Mapping[str, Any], where: Mapping[str, Any]) -> list[Item]:
        type_, target = str(data.get("type", "")), str(data.get("target", ""))
        self._begun[key] = (type_, target)
        if type_ == "agent":
            self._agents[key] = target
        if type_ == "child" and isinstance(child := data.get("run"), str):
            self._children[key] = child
            if not self._priming:
                self._watch(child, speaks=self._speaks(*key))
        return [StepBegan(**where, type=type_, target=target, input=data.get("input"))]

    def _speaks(self, run_id: str, path: str) -> bool:
        pattern = self._speaking.get(run_id)
        return pattern is not None and pattern.fullmatch(path) is not None

    def _new(self, key: tuple[str, str], text: str, start: int | None) -> str:
        """What is new in a piece of text that begins at `start` of what its agent says.

        Nothing where a piece before it was missed: the end of the step has it all.
        """
        heard = self._spoken.get(key, "")
        if start is None or not text:
            return text
        known = heard[start : start + len(text)]
        if start <= len(heard) and text.startswith(known):
            return text[len(known) :]
        if start == 0:
            # The step is performed anew, and says something else.
            self._spoken[key] = ""
            return text
        return ""

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
        if type_ == "agent" and error is None and isinstance(value, Mapping):
            # What was not heard while it came in: the agent was asked by another process, or its model does not stream.
            whole, heard = text_of(value), self._spoken.get(key, "")
            if whole.startswith(heard) and whole != heard:
                items += self._heard(key, whole[len(heard) :], where)
        self._spoken.pop(key, None)
        return [*items, StepEnded(**where, type=type_, target=target, value=value, error=error, usage=usage)]

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


def _exists(journal: Journal, run_id: str) -> bool:
    try:
        journal.runs.get(run_id)
    except WeftError:
        return False
    return True
