"""Workflows as functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, overload

from weft.core.errors import SpecError
from weft.engine.programs.port import Request, Spawned
from weft.python.asking import asked
from weft.python.shapes import bound, hints, plain, read

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowOptions:
    """What is said of a workflow besides its function; each as in the language's `runtime`."""

    name: str | None = None
    provider: str | None = None
    model_id: str | None = None
    host: str | None = None
    budgets: Mapping[str, Any] | None = None
    failure_policy: Mapping[str, Any] | None = None

    def runtime(self) -> dict[str, Any]:
        """The section `runtime` of a document."""
        said = {
            "provider": self.provider,
            "model_id": self.model_id,
            "host": self.host,
            "budgets": self.budgets,
            "failure_policy": self.failure_policy,
        }
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in said.items() if value}


class WorkflowFunction(Generic[P, T]):
    """A workflow. It is run with ``weft run file.py:name``; called in another workflow function, it is a run of its own."""

    def __init__(self, function: Callable[P, Coroutine[Any, Any, T]], options: WorkflowOptions) -> None:
        update_wrapper(self, function)
        self.function = function
        self.options = options
        self.name: str = options.name or function.__name__
        if not inspect.iscoroutinefunction(function):
            raise SpecError(f"the workflow {self.name!r} is no async function", fix="write `async def`")

    @property
    def file(self) -> Path:
        """What `weft.RunRequest` takes as its `file`."""
        return Path(f"{inspect.getsourcefile(self.function)}:{self.function.__name__}")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Have it run as a run of its own, at ``/name[n]``.

        Raises:
            WeftError: it failed.
        """
        return self._spawn(None, args, kwargs)

    def at(self, key: str) -> Callable[P, Coroutine[Any, Any, T]]:
        """The same workflow, run at ``/name[key]``."""

        def spawn(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            return self._spawn(key, args, kwargs)

        return spawn

    def _spawn(self, key: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Coroutine[Any, Any, T]:
        given = bound(self.function, args, kwargs)
        returned = hints(self.function).get("return")

        def request() -> Request:
            return Spawned(self.name, plain(given))

        def take(value: Mapping[str, Any]) -> T:
            found: T = read(returned, value["value"])
            return found

        return asked(self.name, key, request, take)


@overload
def workflow(function: Callable[P, Coroutine[Any, Any, T]], /) -> WorkflowFunction[P, T]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    provider: str | None = None,
    model_id: str | None = None,
    host: str | None = None,
    budgets: Mapping[str, Any] | None = None,
    failure_policy: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], WorkflowFunction[P, T]]: ...
def workflow(function: Any = None, /, **options: Any) -> Any:
    """A workflow from an async function. Its parameters are the inputs of a run, what it returns is the run's result.

    The function is run again from the top whenever its run goes on, and everything that it has asked for is answered from the journal: what
    it does may depend only on its inputs and on what its steps return.
    """
    said = WorkflowOptions(**options)
    return WorkflowFunction(function, said) if function is not None else lambda wrapped: WorkflowFunction(wrapped, said)
