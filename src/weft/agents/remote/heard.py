"""What a remote agent says, put together: its task's state, its pieces of text, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from a2a.types import a2a_pb2
from google.protobuf.json_format import MessageToDict

from weft.core.numbers import whole

MAX_TEXT = 4_000_000
"""Characters of one answer."""
_TOLD = frozenset({"says", "shown"})


class Heard:
    """Takes in the events of one task. Text is passed on with `emit` while it comes, its source named; `mask` takes secrets out of all."""

    def __init__(
        self, emit: Callable[[Mapping[str, Any]], None], source: str, mask: Callable[[Any], Any] = lambda said: said
    ) -> None:
        self._emit = emit
        self._mask = mask
        self._source = source
        self._artifacts: dict[str, list[a2a_pb2.Part]] = {}
        self._passed: dict[str, str] = {}
        self._state: dict[str, Any] = {}
        self.news = 0
        """Events so far."""

    def first(self, event: a2a_pb2.StreamResponse) -> dict[str, Any]:
        """What an answer to a send begins with: a task, or a message that is all."""
        if event.HasField("message"):
            message = event.message
            self._artifacts = {"answer": list(message.parts)}
            self._state = {"task": "", "context": message.context_id, "state": "MESSAGE", "says": "", "mark": ""}
            return self.seen()
        return self.next(event)

    def next(self, event: a2a_pb2.StreamResponse) -> dict[str, Any]:
        """What is known after `event`."""
        self.news += 1
        if event.HasField("task"):
            return self.whole(event.task)
        if event.HasField("status_update"):
            self._status(event.status_update.status)
        elif event.HasField("artifact_update"):
            self._artifact(event.artifact_update)
        return self.seen()

    def whole(self, task: a2a_pb2.Task) -> dict[str, Any]:
        """What is known from a task as it is."""
        self._state |= {"task": task.id, "context": task.context_id}
        self._status(task.status)
        for artifact in task.artifacts:
            self._artifacts[artifact.artifact_id] = list(artifact.parts)
            self._pass_on(artifact.artifact_id)
        return self.seen()

    def seen(self) -> dict[str, Any]:
        """What is known, as the journal keeps it."""
        told = {name: self._mask(said) if name in _TOLD else said for name, said in self._state.items()}
        return {"task": "", "context": "", "state": "WORKING", "says": "", "mark": "", **told} | {
            "response": self._mask(self._response())
        }

    def _status(self, status: a2a_pb2.TaskStatus) -> None:
        message = status.message
        data = [whole(MessageToDict(part.data)) for part in message.parts if part.WhichOneof("content") == "data"]
        self._state |= {
            "state": a2a_pb2.TaskState.Name(status.state).removeprefix("TASK_STATE_"),
            "says": "\n".join(part.text for part in message.parts if part.text)[:MAX_TEXT],
            "shown": next((one for one in data if isinstance(one, dict)), None),
            "mark": message.message_id or status.timestamp.ToJsonString(),
        }

    def _artifact(self, update: a2a_pb2.TaskArtifactUpdateEvent) -> None:
        key = update.artifact.artifact_id
        if update.append:
            self._artifacts.setdefault(key, []).extend(update.artifact.parts)
        else:
            self._artifacts[key] = list(update.artifact.parts)
        self._pass_on(key)

    def _pass_on(self, key: str) -> None:
        """Show what is new of a text; one that was begun anew is shown whole at the end, not here."""
        text, passed = self._mask(_text(self._artifacts[key])), self._passed.get(key, "")
        if text.startswith(passed) and text != passed and len(text) <= MAX_TEXT:
            self._emit({"text": text[len(passed) :], "source": self._source})
            self._passed[key] = text

    def _response(self) -> Any:
        texts = [text for parts in self._artifacts.values() if (text := _text(parts))]
        if texts:
            return "\n\n".join(texts)[:MAX_TEXT]
        data = [
            whole(MessageToDict(part.data))
            for parts in self._artifacts.values()
            for part in parts
            if part.WhichOneof("content") == "data"
        ]
        if data:
            return data[0] if len(data) == 1 else data
        return self._state.get("says", "")


def _text(parts: list[a2a_pb2.Part]) -> str:
    return "".join(part.text for part in parts if part.WhichOneof("content") == "text")
