"""What a reply is made of: what is said, thought, done and asked in a run, in the words of no protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import WeftError
from weft.core.usage import Usage


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
class Called(Item):
    """A piece of a call that a model asks whoever asked it to make: call number `index` of its answer.

    The first piece of a call has its `call_id` and `name`; the `arguments` of all pieces are one JSON text.
    """

    agent: str
    index: int
    call_id: str = ""
    name: str = ""
    arguments: str = ""


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
    """The run, and with it those below it, waits for something outside, and goes on by itself when that comes.

    `waits` is as `weft why` reads it. A run below goes on by itself; when it waits again, this comes again, with the same `seq`.
    """

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
