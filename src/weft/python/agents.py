"""Agents as functions: the docstring is the prompt, the return type the form of the answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from weft.core.errors import Place, SpecError
from weft.engine.programs.port import Performed, Request
from weft.plan.nodes import Call, Retry
from weft.python.asking import asked
from weft.python.shapes import answer, answer_schema, bound, hints, plain
from weft.python.tools import ToolFunction
from weft.spec.references import reads

P = ParamSpec("P")
T = TypeVar("T")
_MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """What is said of an agent besides its function; each as in the language."""

    prompt: str | None = None
    input: str | None = None
    tools: tuple[ToolFunction[..., Any] | str, ...] = ()
    provider: str | None = None
    model_id: str | None = None
    base_url: str | None = None
    inference: Mapping[str, Any] | None = None
    attempts: int | None = None
    timeout_s: float | None = None


class AgentFunction(Generic[P, T]):
    """An agent that is asked by calling it inside a workflow function."""

    def __init__(self, function: Callable[P, Coroutine[Any, Any, T]], options: AgentOptions) -> None:
        update_wrapper(self, function)
        self.function = function
        self.options = options
        self.name: str = function.__name__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Ask it, at ``/name[n]``.

        Raises:
            WeftError: the model failed, no answer could be used, or a budget is reached.
        """
        return self._ask(None, args, kwargs)

    def at(self, key: str) -> Callable[P, Coroutine[Any, Any, T]]:
        """The same agent, asked at ``/name[key]``."""

        def ask(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            return self._ask(key, args, kwargs)

        return ask

    def definition(self) -> dict[str, Any]:
        """What a document would say of it.

        Raises:
            SpecError: it has no prompt, or its return type no form in JSON.
        """
        options = self.options
        prompt = options.prompt or inspect.cleandoc(self.function.__doc__ or "")
        if not prompt:
            code = self.function.__code__
            raise SpecError(
                f"the agent {self.name!r} has no prompt",
                fix="write it as the function's docstring",
                place=Place(file=code.co_filename, line=code.co_firstlineno),
            )
        said = {
            "prompt": prompt,
            "tools": [tool if isinstance(tool, str) else tool.name for tool in options.tools],
            "provider": options.provider,
            "model_id": options.model_id,
            "base_url": options.base_url,
            "inference": dict(options.inference) if options.inference else None,
            "output_schema": answer_schema(hints(self.function).get("return"), self.name),
        }
        return {name: value for name, value in said.items() if value is not None}

    def is_template(self) -> bool:
        """Whether its prompt reads its parameters."""
        prompt = self.options.prompt or self.function.__doc__ or ""
        return bool(reads(prompt).names & set(inspect.signature(self.function).parameters))

    def _ask(self, key: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Coroutine[Any, Any, T]:
        given = bound(self.function, args, kwargs)

        def request() -> Request:
            values = plain(given)
            options = self.options
            call = Call(
                name=self.name,
                performer="agent",
                target=self.name,
                input={"prompt": options.input or f"{{{{ {_MESSAGE} }}}}"},
                retry=None if options.attempts is None else Retry(attempts=options.attempts),
                timeout_s=options.timeout_s,
            )
            return Performed(call, {_MESSAGE: _message(values), **values}, values)

        returned = hints(self.function).get("return")

        def take(value: Mapping[str, Any]) -> T:
            found: T = answer(returned, value["response"])
            return found

        return asked(self.name, key, request, take)


def _message(values: Mapping[str, Any]) -> str:
    """What the agent is asked: the one argument itself, or each with its name."""
    if len(values) == 1:
        return _text(next(iter(values.values())))
    return "\n".join(f"{name}: {_text(value)}" for name, value in values.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


@overload
def agent(function: Callable[P, Coroutine[Any, Any, T]], /) -> AgentFunction[P, T]: ...
@overload
def agent(
    *,
    prompt: str | None = None,
    input: str | None = None,
    tools: Sequence[ToolFunction[..., Any] | str] = (),
    provider: str | None = None,
    model_id: str | None = None,
    base_url: str | None = None,
    inference: Mapping[str, Any] | None = None,
    attempts: int | None = None,
    timeout_s: float | None = None,
) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], AgentFunction[P, T]]: ...
def agent(function: Any = None, /, *, tools: Sequence[Any] = (), **options: Any) -> Any:
    """An agent from an async function whose body is never run: ``async def writer(topic: str) -> str: ...``.

    Its docstring is the prompt and may read the parameters as a template. The return type is the form of the answer: a text,
    or anything that has a form in JSON, such as a Pydantic model. What it is asked is its argument, or each with its name, or what
    the template `input` makes of them. `tools` are functions under `weft.tool` and names of built-in tools.
    """
    said = AgentOptions(tools=tuple(tools), **options)
    return AgentFunction(function, said) if function is not None else lambda wrapped: AgentFunction(wrapped, said)
