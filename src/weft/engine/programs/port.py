"""The ports of programs: what a function may ask for, and what the engine asks of whoever has the functions."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

from weft.core.canonical import digest
from weft.core.errors import InputError, Place
from weft.engine.port import GateRequest, Outcome, Runtime, Settings
from weft.plan.nodes import Call, Child, Program

Json = Any
_DIGEST = 16
PLACE: ContextVar[str] = ContextVar("weft_place")
"""The path that the steps of the current task of a program stand below."""
MAX_WAIT_S = 100 * 366 * 86_400
"""A wait for longer than a century is refused."""


class Request(Protocol):
    """Something that a program asks for."""

    def looks(self) -> Mapping[str, str]:
        """What it is: ``type``, ``target``, and a digest of its ``input``."""
        ...

    async def begin(self, runtime: Runtime, path: str, settings: Settings) -> Outcome:
        """Have it done at `path`."""
        ...


@dataclass(frozen=True, slots=True)
class Performed:
    """A call. `scope` is what its templates read and what its performer is handed; `given` is what tells it from another call."""

    call: Call
    scope: Mapping[str, Any]
    given: Json

    def looks(self) -> Mapping[str, str]:
        """See `Request.looks`."""
        return {"type": self.call.performer, "target": self.call.target, "input": _digest(self.given)}

    async def begin(self, runtime: Runtime, path: str, settings: Settings) -> Outcome:
        """See `Request.begin`."""
        return await runtime.perform(path, replace(self.call, name=_name(path)), self.scope, settings, ())


@dataclass(frozen=True, slots=True)
class Slept:
    """A wait for a time."""

    seconds: float

    def looks(self) -> Mapping[str, str]:
        """See `Request.looks`."""
        return {"type": "timer", "input": _digest(self.seconds)}

    async def begin(self, runtime: Runtime, path: str, settings: Settings) -> Outcome:
        """See `Request.begin`."""
        del settings
        return await runtime.sleep(path, _within_reason(self.seconds, path))


@dataclass(frozen=True, slots=True)
class Asking:
    """A question to a person."""

    request: GateRequest

    def looks(self) -> Mapping[str, str]:
        """See `Request.looks`."""
        asks = (self.request.prompt, self.request.show, self.request.choices, self.request.form, self.request.given)
        return {"type": "gate", "input": _digest(asks)}

    async def begin(self, runtime: Runtime, path: str, settings: Settings) -> Outcome:
        """See `Request.begin`."""
        del settings
        return await runtime.ask(path, lambda: self.request)


@dataclass(frozen=True, slots=True)
class Listening:
    """A wait for the first of several signals, for at most so many seconds."""

    names: tuple[str, ...]
    seconds: float | None = None

    def looks(self) -> Mapping[str, str]:
        """See `Request.looks`."""
        return {"type": "signal", "target": " ".join(self.names), "input": _digest(self.seconds)}

    async def begin(self, runtime: Runtime, path: str, settings: Settings) -> Outcome:
        """See `Request.begin`."""
        del settings
        seconds = None if self.seconds is None else _within_reason(self.seconds, path)
        return await runtime.listen(path, self.names, seconds, lambda _: True)


@dataclass(frozen=True, slots=True)
class Spawned:
    """A run of another workflow, which is one of the plan's `children`."""

    plan: str
    inputs: Mapping[str, Json]
    on_cancel: str = "cancel"

    def looks(self) -> Mapping[str, str]:
        """See `Request.looks`."""
        return {"type": "child", "target": self.plan, "input": _digest(self.inputs)}

    async def begin(self, runtime: Runtime, path: str, settings: Settings) -> Outcome:
        """See `Request.begin`."""
        on_cancel: Any = self.on_cancel
        node = Child(name=_name(path), plan=self.plan, on_cancel=on_cancel)
        return await runtime.child(path, node, None, self.inputs, settings)


class Desk(Protocol):
    """Where a program asks."""

    def place(self, name: str, key: str | None = None) -> str:
        """The path of the next step called `name` in the task that calls this, or of the one with this `key`.

        Raises:
            ProgramError: a step with this key was asked for before.
        """
        ...

    def ask(self, path: str, request: Request) -> Awaitable[Json]:
        """What comes of it, as decoded from the journal.

        Raises:
            WeftError: it failed.
        """
        ...


class Code(Protocol):
    """A function that is loaded, and the pieces of code that it is made of, each with its hash."""

    @property
    def parts(self) -> Mapping[str, str]:
        """The pieces."""
        ...

    async def run(self, desk: Desk, inputs: Mapping[str, Json]) -> Json:
        """Run it from the top; what it returns, as JSON."""
        ...


class Programs(Protocol):
    """Whoever has the functions that plans name."""

    def load(self, node: Program, options: Mapping[str, Json]) -> Code:
        """The function that `node` names; `options` are those of the run.

        Raises:
            WeftError: there is no such function, or its file cannot be loaded.
        """
        ...


def _digest(value: Json) -> str:
    return digest(value)[:_DIGEST]


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _within_reason(seconds: float, path: str) -> float:
    if isinstance(seconds, bool) or not 0 <= seconds <= MAX_WAIT_S:
        raise InputError(f"a wait needs seconds from 0 to {MAX_WAIT_S}, not {seconds!r}", place=Place(path=path))
    return float(seconds)
