"""The performers of a simulated world. They stand for what is outside, so they live on when the process "dies"."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.agents.answer import converse
from weft.app.artifacts import safe_relative
from weft.core.canonical import sha256
from weft.core.errors import RateLimitError, TransientError
from weft.core.usage import Usage
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call
from weft.plan.template import render, render_value
from weft.testing.simulator.faults import Faults
from weft.testing.simulator.script import answer, instance

Json = Any
MODEL = "scripted/simulated"
_NONSENSE = "I would rather speak of something else."


@dataclass(slots=True)
class World:
    """What is outside: faults drawn from `seed`, by path and try, and the effects that really happened."""

    seed: int
    faults: Faults
    injected: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    happened: set[str] = field(default_factory=set)
    _tries: Counter[str] = field(default_factory=Counter)

    async def touch(self, context: StepContext) -> random.Random:
        """Let a request reach the world: it takes its time, and may fail. Returns what its answer is drawn from.

        Raises:
            TransientError: it failed in a way that passes (so too `RateLimitError`).
        """
        self._tries[context.path] += 1
        draw = random.Random(f"{self.seed}/{context.path}/{self._tries[context.path]}")  # noqa: S311 -- repeatable
        await context.clock.sleep(round(draw.uniform(*self.faults.latency), 6))
        luck = draw.random()
        if luck < self.faults.limits:
            self.injected["limits"] += 1
            raise RateLimitError("the simulated provider asks to slow down", retry_after=round(draw.uniform(1, 10), 3))
        if luck < self.faults.limits + self.faults.errors:
            self.injected["errors"] += 1
            raise TransientError("the simulated provider has reset the connection")
        self.requests += 1
        # The same question is answered the same, however often it is asked.
        return random.Random(f"{self.seed}/{context.path}")  # noqa: S311 -- repeatable


@dataclass(slots=True)
class _Said:
    """One turn of a scripted agent."""

    output: str
    total_tokens: int

    @property
    def usage(self) -> _Said:
        return self

    def all_messages(self) -> list[Any]:
        return []


class SimulatedAgents:
    """Performs ``agent`` calls by script, each request as a step like those of a real agent."""

    derived = True

    def __init__(self, world: World) -> None:
        self._world = world

    async def perform(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done:
        """Ask the script; answers that the plan goes on with are held to their form as a real agent's are."""
        local = {**scope, **(call.input.get("vars") or {})}
        prompt = render(call.input.get("prompt") or "", local)
        context.note("step.input", {"prompt": prompt})
        turns = 0

        async def turn(said: str, messages: Sequence[Any]) -> _Said:
            nonlocal turns
            del messages
            value = await context.step(
                f"agent/model[{turns}]",
                lambda step: self._request(said, call, local, step),
                type="model",
                target=MODEL,
                input={"agent": call.target},
                spends=True,
            )
            turns += 1
            return _Said(value["text"], value["tokens"])

        answered = await converse(turn, prompt, (), call.input.get("answer"), local, context)
        return Done(
            {
                **(call.input.get("facts") or {}),
                "response": self._typed(call, answered.output, context),
                "agent": call.target,
                "prompt": prompt,
                "status": "completed",
                "tokens_estimated": answered.tokens,
                "messages": [],
                **({"data": answered.data} if "answer" in call.input else {}),
            }
        )

    async def _request(self, said: str, call: Call, scope: Mapping[str, Json], step: StepContext) -> Done:
        draw = await self._world.touch(step)
        text = answer(call, scope, draw)
        if "answer" in call.input and draw.random() < self._world.faults.garbage:
            self._world.injected["garbage"] += 1
            text = _NONSENSE
        usage = Usage(requests=1, input_tokens=len(said.split()), output_tokens=len(text.split()))
        return Done({"text": text, "tokens": usage.tokens}, usage)

    def _typed(self, call: Call, output: str, context: StepContext) -> Json:
        """The output of an agent whose file asks for an object."""
        definition = (context.plan.definitions.get("agents") or {}).get(call.target) or {}
        schema = definition.get("output_schema")
        if schema is None:
            return output
        return instance(schema, random.Random(f"{self._world.seed}/{context.path}"))  # noqa: S311 -- repeatable

    async def check(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done | None:
        """See `Performer.check`."""
        del call, scope, context
        return None


class SimulatedTools:
    """Performs ``tool`` calls without a tool: the arguments are filled in, and the result says so."""

    derived = False

    def __init__(self, world: World) -> None:
        self._world = world

    async def perform(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done:
        """Touch the simulated world once."""
        arguments = render_value(call.input.get("args") or {}, scope)
        context.note("step.input", {"arguments": arguments})
        await self._world.touch(context)
        self._world.happened.add(context.key)
        return self._done(call)

    async def check(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done | None:
        """Whether it happened before the crash."""
        del scope
        return self._done(call) if context.key in self._world.happened else None

    def _done(self, call: Call) -> Done:
        facts = call.input.get("facts") or {}
        return Done({**facts, "response": f"simulated {call.target}", "tool": call.target, "status": "completed"})


class SimulatedArtifacts:
    """Performs ``artifact`` calls without writing: path and content are filled in, their hash is kept."""

    derived = True

    async def perform(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done:
        """Fill in the file and forget it."""
        scope = {**scope, "TRACE": "{}"}
        path = safe_relative(render(call.input["path"], scope), context.path)
        content = render(call.input["from"], scope).encode(errors="replace")
        return Done({"path": str(path), "bytes": len(content), "sha256": sha256(content)})

    async def check(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done | None:
        """See `Performer.check`."""
        del call, scope, context
        return None
