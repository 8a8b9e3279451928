"""A run as events of AG-UI: text, reasoning, tool calls and steps, each begun and ended in order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ag_ui.core import (
    BaseEvent,
    ReasoningEndEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    RunErrorEvent,
    RunFinishedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from ag_ui.core.events import RunFinishedInterruptOutcome, RunFinishedSuccessOutcome, TokenUsage

from weft.app.serving.items import Ended, Item, Said, StepBegan, StepEnded, Thought
from weft.core.usage import Usage
from weft.server.agui.interrupts import call_id, interrupt_of
from weft.server.wording import said_over
from weft.store.gates import Gate

_SHOWN = 100_000
"""Characters of the arguments or the result of a tool call."""
_QUIET = frozenset({"model"})


class Telling:
    """Tells one run to one client. `told` are the tool calls that the client has seen already."""

    def __init__(self, thread_id: str, run_id: str, root: str, told: Iterable[str] = ()) -> None:
        self._thread_id = thread_id
        self._run_id = run_id
        self._root = root
        self._told = set(told)
        self._steps: dict[str, None] = {}
        self._message = ""
        self._reasoning = ""
        self._said = ""
        self._spoken: dict[tuple[str, str], int] = {}

    def tell(self, item: Item) -> Iterator[BaseEvent]:
        """The events that an item becomes."""
        match item:
            case Said(text=text):
                yield from self._say(item, text)
            case Thought(text=text):
                yield from self._think(item, text)
            case StepBegan(type="tool"):
                yield from self._call(call_id(item.run_id, item.path), item.target, item.input)
            case StepEnded(type="tool"):
                yield from self._result(item)
            case StepBegan(type=type_) if type_ not in _QUIET:
                yield from self._begin(item)
            case StepEnded(type=type_) if type_ not in _QUIET:
                yield from self._end(item)
            case Ended():
                yield from self._finish(item)
            case _:
                return

    def interrupt(self, gates: Sequence[Gate]) -> Iterator[BaseEvent]:
        """The run waits for answers: this stream is over, and another one brings them. Calls that are asked about are shown."""
        for gate in gates:
            if gate.request.get("given") is not None:
                tool = str(gate.request.get("facts", {}).get("tool", "tool"))
                yield from self._call(call_id(gate.run_id, gate.path), tool, {"arguments": gate.request["given"]})
        yield from self._close()
        outcome = RunFinishedInterruptOutcome(interrupts=[interrupt_of(gate) for gate in gates])
        yield RunFinishedEvent(thread_id=self._thread_id, run_id=self._run_id, outcome=outcome)

    def broken(self, message: str, code: str) -> Iterator[BaseEvent]:
        """The stream is over before the run is."""
        yield from self._close()
        yield RunErrorEvent(message=message, code=code)

    def _finish(self, item: Ended) -> Iterator[BaseEvent]:
        if item.status == "completed" and item.text and not self._said.endswith(item.text):
            # What was streamed is not what the run answers.
            yield from self._say(item, item.text)
        yield from self._close()
        usage = _usage(item.usage)
        if item.status == "completed":
            outputs = item.outputs
            yield RunFinishedEvent(
                thread_id=self._thread_id,
                run_id=self._run_id,
                result=outputs if len(json.dumps(outputs, default=str)) <= _SHOWN else None,
                outcome=RunFinishedSuccessOutcome(),
                usage=usage,
            )
            return
        error = item.error
        message = (
            error.message + (f" {said_over('ag-ui', error.fix)}" if error.fix else "")
            if error
            else f"the run was {item.status}"
        )
        yield RunErrorEvent(message=message, code=error.code if error else item.status, usage=usage)

    def _say(self, item: Item, text: str) -> Iterator[BaseEvent]:
        yield from self._begin(item)
        message = self._current(item)
        if message != self._message:
            yield from self._hush()
            self._message = message
            yield TextMessageStartEvent(message_id=message, name=getattr(item, "agent", "") or None)
        self._said += text
        yield TextMessageContentEvent(message_id=message, delta=text)

    def _think(self, item: Item, text: str) -> Iterator[BaseEvent]:
        yield from self._begin(item)
        message = self._current(item)
        if message != self._reasoning:
            yield from self._hush()
            self._reasoning = message
            yield ReasoningStartEvent(message_id=message)
            yield ReasoningMessageStartEvent(message_id=message, role="reasoning")
        yield ReasoningMessageContentEvent(message_id=message, delta=text)

    def _hush(self) -> Iterator[BaseEvent]:
        """End the message or the thought that is open; whoever speaks on begins a new one."""
        if self._message:
            yield TextMessageEndEvent(message_id=self._message)
        if self._reasoning:
            yield ReasoningMessageEndEvent(message_id=self._reasoning)
            yield ReasoningEndEvent(message_id=self._reasoning)
        if self._message or self._reasoning:
            self._message = self._reasoning = ""
            self._spoken = {place: count + 1 for place, count in self._spoken.items()}

    def _current(self, item: Item) -> str:
        place = (item.run_id, item.path)
        count = self._spoken.setdefault(place, 0)
        return "msg-" + hashlib.sha256(f"{place}{item.run_id}{count}".encode()).hexdigest()[:24]

    def _call(self, call: str, tool: str, given: Any) -> Iterator[BaseEvent]:
        if call in self._told:
            return
        self._told.add(call)
        yield from self._hush()
        arguments = given.get("arguments", given) if isinstance(given, dict) else given
        yield ToolCallStartEvent(tool_call_id=call, tool_call_name=tool or "tool")
        yield ToolCallArgsEvent(tool_call_id=call, delta=_text(arguments if arguments is not None else {}))
        yield ToolCallEndEvent(tool_call_id=call)

    def _result(self, item: StepEnded) -> Iterator[BaseEvent]:
        call = call_id(item.run_id, item.path)
        yield from self._call(call, item.target, None)
        yield from self._hush()
        value = item.value.get("response", item.value) if isinstance(item.value, dict) else item.value
        content = _text(value) if item.error is None else f"error: {item.error.get('message', '')}"
        yield ToolCallResultEvent(message_id=f"{call}-result", tool_call_id=call, content=content, role="tool")

    def _begin(self, item: Item) -> Iterator[BaseEvent]:
        """Begin a step, if it is not known to have begun: its first words may be heard before."""
        name = self._name(item)
        if item.path and name not in self._steps:
            yield from self._hush()
            self._steps[name] = None
            yield StepStartedEvent(step_name=name)

    def _end(self, item: StepEnded) -> Iterator[BaseEvent]:
        name = self._name(item)
        if name in self._steps:
            yield from self._hush()
            del self._steps[name]
            yield StepFinishedEvent(step_name=name)

    def _close(self) -> Iterator[BaseEvent]:
        yield from self._hush()
        for name in reversed(self._steps):
            yield StepFinishedEvent(step_name=name)
        self._steps.clear()

    def _name(self, item: Item) -> str:
        """A step by its path; one of another run with the end of that run's id."""
        return item.path if item.run_id == self._root else f"{item.run_id[-8:]}{item.path}"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " [cut]"


def _usage(usage: Usage) -> list[TokenUsage] | None:
    if not usage.input_tokens and not usage.output_tokens:
        return None
    return [TokenUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)]
