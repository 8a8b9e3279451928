"""Tools as functions: a step with an effect class when a workflow function calls them, and something that agents may use."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from weft.core.errors import SpecError
from weft.engine.programs.port import Performed, Request
from weft.plan.nodes import Call, Effect, Retry
from weft.python.asking import DESK, asked
from weft.python.shapes import bound, hints, plain, read
from weft.tools.function import FunctionTool, function_tool
from weft.tools.port import TIMEOUT_S, ToolContext
from weft.tools.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")
_GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOptions:
    """What is said of a tool besides its function."""

    effect: Effect = "idempotent"
    timeout_s: float = TIMEOUT_S
    attempts: int | None = None
    reconcile: Callable[[str], Any] | None = None


class ToolFunction(Generic[P, T]):
    """A tool. Called in a workflow function it is a step; called anywhere else it is the function itself, for tests."""

    def __init__(self, function: Callable[P, Any], options: ToolOptions) -> None:
        update_wrapper(self, function)
        self.function = function
        self.options = options
        self.name: str = function.__name__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Call it, at ``/name[n]``.

        Raises:
            ToolError: it failed.
        """
        return self._call(None, args, kwargs)

    def at(self, key: str) -> Callable[P, Coroutine[Any, Any, T]]:
        """The same tool, called at ``/name[key]``."""

        def call(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            return self._call(key, args, kwargs)

        return call

    def definition(self) -> dict[str, Any]:
        """What a plan says of it."""
        return {"effect": self.options.effect, "timeout_s": self.options.timeout_s}

    def built(self, threads: Threads) -> FunctionTool:
        """The tool that performers call.

        Raises:
            SpecError: its signature is not one of a tool.
        """
        if self.options.reconcile is not None:
            cast("Any", self.function).reconcile = self.options.reconcile
        return function_tool(
            self.function,
            name=self.name,
            threads=threads,
            declared=self.options.effect,
            timeout_s=self.options.timeout_s,
        )

    def _call(self, key: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Coroutine[Any, Any, T]:
        if DESK.get() is None:
            return self._directly(args, kwargs)
        types = hints(self.function)
        contexts = {name for name, hint in types.items() if hint is ToolContext}
        given = bound(self.function, args, {**kwargs, **dict.fromkeys(contexts)})

        def request() -> Request:
            values = plain({name: value for name, value in given.items() if name not in contexts})
            options = self.options
            call = Call(
                name=self.name,
                performer="tool",
                target=self.name,
                input={"args": {name: f"{{{{ {_GIVEN}.{name} }}}}" for name in values}},
                effect=options.effect,
                retry=None if options.attempts is None else Retry(attempts=options.attempts),
            )
            return Performed(call, {_GIVEN: values}, values)

        def take(value: Any) -> T:
            # What a person said has happened left no value behind.
            found: Any = None if value is None else read(types.get("return"), value["response"])
            said: T = found
            return said

        return asked(self.name, key, request, take)

    async def _directly(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> T:
        found: Any = self.function(*args, **kwargs)
        value: T = await found if inspect.isawaitable(found) else found
        return value


@overload
def tool(function: Callable[P, Awaitable[T]], /) -> ToolFunction[P, T]: ...
@overload
def tool(function: Callable[P, T], /) -> ToolFunction[P, T]: ...
@overload
def tool(
    *,
    effect: Effect = ...,
    timeout_s: float = ...,
    attempts: int | None = ...,
    reconcile: Callable[[str], Any] | None = ...,
) -> Callable[[Callable[P, Any]], ToolFunction[P, Any]]: ...
def tool(function: Any = None, /, **options: Any) -> Any:
    """A tool from a function with type hints; its docstring (Google style) tells agents what it is for.

    `effect` says how a call may be repeated: ``pure``, ``idempotent`` (under the same key), ``reconcile`` (`reconcile`, a function
    of the key, says what came of it) or ``once`` (ask a person).
    """
    said = ToolOptions(**options)
    if said.effect == "reconcile" and said.reconcile is None:
        raise SpecError(
            "a tool with the effect 'reconcile' has to be asked what came of a call",
            fix="give `reconcile`: a function of the idempotency key that returns the result, or None",
        )
    return ToolFunction(function, said) if function is not None else lambda wrapped: ToolFunction(wrapped, said)
