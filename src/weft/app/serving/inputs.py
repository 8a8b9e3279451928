"""From a message to the inputs of a workflow, and the inputs of a workflow as a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.app.alone import MESSAGE, MESSAGES, needed
from weft.core.canonical import strict_loads
from weft.core.errors import InputError
from weft.spec.model.workflow import Workflow

_USUAL = (
    "message",
    "prompt",
    "request",
    "question",
    "query",
    "input",
    "text",
    "task",
    "topic",
    "goal",
    "user_input",
)
"""Names under which workflows take what they are asked, the clearest first."""
MAX_MESSAGES = 1_000
MAX_TEXT = 1_000_000
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something said: by ``user``, ``assistant`` or ``system``."""

    role: str
    content: str

    def as_json(self) -> dict[str, str]:
        """As agents are given it."""
        return {"role": self.role, "content": self.content}


def input_schema(workflow: Workflow, *, agent: str = "") -> dict[str, Any]:
    """The inputs of `workflow`, or of an agent of it by itself, as a JSON Schema of an object."""
    properties: dict[str, Any] = {}
    must = needed(workflow, agent) if agent else set(workflow.inputs.required)
    required = [
        name
        for name, field in workflow.inputs.declared().items()
        if name in must and field.default is None and name not in workflow.inputs.values
    ]
    for name, field in workflow.inputs.declared().items():
        entry: dict[str, Any] = {"type": field.type}
        entry |= {"description": field.description} if field.description else {}
        entry |= {"default": field.default} if field.default is not None else {}
        entry |= {"enum": field.enum} if field.enum else {}
        properties[name] = entry
    if agent:
        properties[MESSAGE] = {"type": "string", "description": "What the agent is asked."}
        required.append(MESSAGE)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def main_input(workflow: Workflow, *, agent: bool = False) -> str | None:
    """The input that a plain message fills: one of a usual name, or the only text that is required, or the only one at all."""
    if agent:
        return MESSAGE
    declared = workflow.inputs.declared()
    texts = [name for name, field in declared.items() if field.type == "string"]
    for name in _USUAL:
        if name in texts:
            return name
    needed = [name for name in texts if name in workflow.inputs.required and declared[name].default is None]
    found = needed or texts
    return found[0] if len(found) == 1 else None


def variables(
    workflow: Workflow, messages: Sequence[Message], given: Mapping[str, Any], *, agent: bool = False
) -> dict[str, Any]:
    """The inputs of a run that answers the last of `messages`; what is `given` by name goes over what is said.

    A message that is a JSON object of declared inputs gives those. Otherwise its text is the main input. What was said before
    is given to an agent, and to a workflow that declares an input ``messages`` (a list) or ``history`` (a text).

    Raises:
        InputError: nobody asks anything in the conversation, or too much is said, or it is not clear which input the message is
            for. Without any conversation, the inputs are what they are.
    """
    if len(messages) > MAX_MESSAGES or any(len(one.content) > MAX_TEXT for one in messages):
        raise InputError(
            f"a conversation may have {MAX_MESSAGES} messages of {MAX_TEXT} characters", fix="send the latest of them"
        )
    declared = workflow.inputs.declared()
    said = next((one.content for one in reversed(messages) if one.role == "user"), None)
    found = dict(given)
    if said is not None:
        found = _read(said, workflow, declared, agent=agent) | found
    elif messages and not given and (agent or main_input(workflow) is not None):
        raise InputError("there is no message to answer", fix="end the conversation with a message of the user")
    before = [one.as_json() for one in _before(messages)]
    if agent or ("messages" in declared and declared["messages"].type == "array"):
        found.setdefault(MESSAGES, before)
    if "history" in declared and declared["history"].type == "string":
        found.setdefault("history", "\n\n".join(f"{one['role']}: {one['content']}" for one in before))
    return found


def _read(said: str, workflow: Workflow, declared: Mapping[str, Any], *, agent: bool) -> dict[str, Any]:
    if said.lstrip().startswith("{") and declared:
        try:
            value = strict_loads(said)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and value and value.keys() <= declared.keys():
            return value
    main = main_input(workflow, agent=agent)
    if main is not None:
        return {main: said}
    if not declared:
        return {}
    names = ", ".join(declared)
    raise InputError(
        f"it is not clear which input of {workflow.name!r} a message is for: {names}",
        fix=f"send a JSON object with {names}, or give one of them a usual name such as `message`",
    )


def _before(messages: Sequence[Message]) -> Sequence[Message]:
    """What was said before the last message of the user."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role == "user":
            return messages[:place]
    return messages
