"""What a tool is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from weft.core.clock import Clock
from weft.net.port import Http
from weft.secrets.resolve import Secrets

Json = Any
Effect = Literal["pure", "idempotent", "reconcile", "once"]
"""How a call may be repeated: rerun freely, sent again under the same key, asked about first, or never without a person."""

TIMEOUT_S = 30.0
MAX_RESULT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """What an agent and the engine know about a tool.

    `input_schema` is a JSON Schema (draft 2020-12) of an object. `effect` holds for every call that `Tool.effect_of` does
    not say otherwise about. `timeout_s` is seconds; `max_result_bytes` counts the result as JSON in UTF-8. A tool that comes from
    a server names it in `group`, and in `origin` what the server calls the tool.
    """

    name: str
    description: str
    input_schema: Mapping[str, Json]
    effect: Effect = "idempotent"
    timeout_s: float = TIMEOUT_S
    max_result_bytes: int = MAX_RESULT_BYTES
    group: str = ""
    origin: str = ""


def _silent(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOptions:
    """What is set for the tools of this machine: where searches go, and how a workflow text is checked, if anybody can."""

    duckduckgo_url: str = "https://html.duckduckgo.com"
    tavily_url: str = "https://api.tavily.com"
    check_workflow: Callable[[str, bool], Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool may use during one call.

    `key` is the call's idempotency key: the same when the call is made again after a crash. `workdir` is the folder that
    file tools cannot leave. `earlier` holds the arguments of the calls of this tool that succeeded before in the same
    conversation, as far as the agent still sees them. `note` writes an event about the step into the journal, `emit` tells live
    viewers something that is not history, such as progress.
    """

    key: str
    workdir: Path
    clock: Clock
    http: Http
    secrets: Secrets
    options: ToolOptions = field(default_factory=ToolOptions)
    earlier: tuple[Mapping[str, Json], ...] = ()
    note: Callable[[str, Mapping[str, Json]], None] = _silent
    emit: Callable[[Mapping[str, Json]], None] = _silent


class Tool(Protocol):
    """Something that agents and plans may call, through `weft.tools.runner.run_tool` only."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool is."""
        ...

    def effect_of(self, args: Mapping[str, Json]) -> Effect:
        """How a call with these arguments may be repeated."""
        ...

    async def call(self, args: Mapping[str, Json], context: ToolContext) -> Json:
        """Do it; `args` fit the schema. Any exception is a failure that the runner makes a `ToolError`."""
        ...

    async def check(self, key: str, context: ToolContext) -> Json | None:
        """The result of the call made under `key`, or None when it did not happen; for tools of effect ``reconcile``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a tool is described now, against what a run holds on to: a digest of the new description, and the change as text."""

    digest: str
    text: str


@runtime_checkable
class Changeable(Protocol):
    """A tool whose description comes from elsewhere and may change during a run."""

    async def difference(self, context: ToolContext) -> Difference | None:
        """What a person has to be asked about before the tool is called again, or None."""
        ...

    async def accept(self, difference: Difference) -> None:
        """A person has accepted it."""
        ...
