"""A performer that does as it is told, and remembers what was really done to the world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import ToolError, TransientError, WeftError
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call

Act = Callable[[Call, Mapping[str, Any], StepContext], Any]


@dataclass(slots=True)
class Trouble:
    """How a call misbehaves: `transient` failures first, then success unless `fatal`; each attempt takes `seconds`."""

    transient: int = 0
    fatal: bool = False
    seconds: float = 0.0
    error: Callable[[], WeftError] = field(default=lambda: TransientError("not now"))


@dataclass(slots=True)
class ScriptedPerformer:
    """Performs calls by script. `effects` counts, by idempotency key, how often the world was touched.

    It stands for the world outside, so tests keep it across simulated crashes. `act` computes values; by default a call's value
    is ``{"response": target}``.
    """

    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    act: Act | None = None
    effects: Counter[str] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)
    paths: dict[str, str] = field(default_factory=dict)
    derived: bool = False

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """Touch the world once, after the trouble that the script has for this path."""
        trouble = self.troubles.get(context.path, Trouble())
        self.started[context.path] += 1
        self.paths[context.key] = context.path
        if trouble.seconds:
            await context.clock.sleep(trouble.seconds)
        if self.started[context.path] <= trouble.transient:
            raise trouble.error()
        if trouble.fatal:
            raise ToolError(f"{context.path} never works")
        self.effects[context.key] += 1
        value = self.act(call, scope, context) if self.act else {"response": call.target}
        return Done(value)

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """Whether the world was touched under this key."""
        if not self.effects[context.key]:
            return None
        value = self.act(call, scope, context) if self.act else {"response": call.target}
        return Done(value)
