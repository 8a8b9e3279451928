"""What a workflow function may ask for: steps of its own, time, chance, people, signals."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, overload

from weft.core.errors import ProgramError, SpecError
from weft.engine.port import GateRequest
from weft.engine.programs.port import PLACE, Asking, Desk, Listening, Performed, Request, Slept
from weft.plan.nodes import Call, Retry
from weft.plan.paths import segment
from weft.python.shapes import hints, plain, read, schema_of
from weft.spec.forms import form_schema

T = TypeVar("T")
Json = Any
DESK: ContextVar[Desk | None] = ContextVar("weft_desk", default=None)
"""Where the workflow function that runs now asks."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody answered at a gate: the `choice` or text, the `values` of the form, `by` whom, `why`, and when (ISO 8601)."""

    response: Json
    choice: str | None = None
    values: Mapping[str, Json] = field(default_factory=dict)
    by: str | None = None
    why: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A signal that came, or None for its `name` when the time was over first."""

    name: str | None
    data: Json = None


def desk(what: str) -> Desk:
    """Where to ask.

    Raises:
        ProgramError: no workflow function runs here.
    """
    found = DESK.get()
    if found is None:
        raise ProgramError(
            f"{what} is asked for outside a workflow function",
            fix="call it in an async function under @weft.workflow, and run that with `weft run file.py:name`",
        )
    return found


def asked(
    name: str, key: str | None, request: Callable[[], Request], take: Callable[[Json], T]
) -> Coroutine[Any, Any, T]:
    """What is awaited for a step. Its path is that of the moment of the call, whoever awaits it later."""
    at = desk(name)
    path = at.place(name, key)

    async def ask() -> T:
        return take(await at.ask(path, request()))

    return ask()


@overload
def step(
    name: str,
    function: Callable[..., Awaitable[T]],
    *args: Any,
    effect: Literal["pure", "idempotent", "once"] = ...,
    attempts: int | None = ...,
    timeout_s: float | None = ...,
    key: str | None = ...,
    **kwargs: Any,
) -> Coroutine[Any, Any, T]: ...
@overload
def step(
    name: str,
    function: Callable[..., T],
    *args: Any,
    effect: Literal["pure", "idempotent", "once"] = ...,
    attempts: int | None = ...,
    timeout_s: float | None = ...,
    key: str | None = ...,
    **kwargs: Any,
) -> Coroutine[Any, Any, T]: ...
def step(
    name: str,
    function: Callable[..., Any],
    *args: Any,
    effect: Literal["pure", "idempotent", "once"] = "idempotent",
    attempts: int | None = None,
    timeout_s: float | None = None,
    key: str | None = None,
    **kwargs: Any,
) -> Coroutine[Any, Any, Any]:
    """Call `function` as a step at ``/name[n]``: once, and from the journal ever after. What it returns must have a form in JSON.

    An async function runs in the event loop, another one in a thread. `effect` says how it may be repeated after a crash.

    Raises:
        WeftError: it failed; any exception of its own is a `ToolError`.
    """

    def request() -> Request:
        call = Call(
            name=name,
            performer="function",
            target=getattr(function, "__qualname__", name),
            effect=effect,
            retry=None if attempts is None else Retry(attempts=attempts),
            timeout_s=timeout_s,
        )
        scope = {"function": function, "args": args, "kwargs": kwargs}
        return Performed(call, scope, plain([args, kwargs]))

    returned = hints(function).get("return", Any) if inspect.isroutine(function) else Any
    return asked(name, key, request, lambda value: None if value is None else read(returned, value))


def sleep(seconds: float, *, key: str | None = None) -> Coroutine[Any, Any, None]:
    """Wait so long. The wait survives the process, and one that is long lets go of it."""
    return asked("sleep", key, lambda: Slept(float(seconds)), lambda _: None)


def now(*, key: str | None = None) -> Coroutine[Any, Any, datetime]:
    """The time, in UTC: read once, and from the journal ever after."""
    call = Call(name="now", performer="clock", target="now", effect="pure")
    return asked("now", key, lambda: Performed(call, {}, None), lambda value: datetime.fromtimestamp(value["at"], UTC))


def random(*, key: str | None = None) -> Coroutine[Any, Any, float]:
    """A number from 0 to 1, drawn once. ``random.Random(await weft.random())`` draws as many as are wanted."""
    call = Call(name="random", performer="random", target="draw", effect="pure")
    return asked("random", key, lambda: Performed(call, {}, None), float)


def gate(  # noqa: PLR0913 -- a question has many sides
    prompt: str,
    *,
    show: str = "",
    choices: Sequence[str] = (),
    form: Mapping[str, Any] | type | None = None,
    assignees: Sequence[str] = (),
    deadline_s: float | None = None,
    warn_s: float | None = None,
    escalate_s: float | None = None,
    escalate_to: Sequence[str] = (),
    default: Json = None,
    on_reject: Literal["fail", "continue"] = "fail",
    name: str = "gate",
    key: str | None = None,
) -> Coroutine[Any, Any, Decision]:
    """Ask a person, as a `hitl` step does. `form` is one of the language, a JSON Schema, or a type.

    Raises:
        RejectedError: the answer rejects, and `on_reject` is ``fail``.
        StepTimeoutError: nobody answered before the deadline, and there is no `default`.
    """

    def request() -> Request:
        return Asking(
            GateRequest(
                prompt=prompt,
                show=show,
                choices=tuple(choices),
                form=_form(form),
                assignees=tuple(assignees),
                deadline_s=deadline_s,
                warn_s=warn_s,
                escalate_s=escalate_s,
                escalate_to=tuple(escalate_to),
                default=default,
                on_reject=on_reject,
            )
        )

    return asked(name, key, request, _decision)


def signal(
    *names: str, timeout_s: float | None = None, name: str = "signal", key: str | None = None
) -> Coroutine[Any, Any, Received]:
    """Wait for the first of these signals, at most so long. They are sent with ``weft signal RUN NAME``."""
    if not names:
        raise SpecError("a wait for signals names at least one", fix='write `await weft.signal("name")`')
    return asked(
        name, key, lambda: Listening(tuple(names), timeout_s), lambda value: Received(value["signal"], value["data"])
    )


@contextmanager
def within(name: str) -> Iterator[None]:
    """Inside, steps stand below ``/name``: a place of its own for each item of work that goes on at the same time."""
    token = PLACE.set(f"{PLACE.get('')}/{segment(name)}")
    try:
        yield
    finally:
        PLACE.reset(token)


def _form(form: Mapping[str, Any] | type | None) -> Mapping[str, Any] | None:
    if form is None:
        return None
    return form_schema(form) if isinstance(form, Mapping) else schema_of(form, "form")


def _decision(value: Mapping[str, Json]) -> Decision:
    named = {name: value.get(name) for name in ("response", "choice", "by", "why", "at")}
    return Decision(values=value.get("values") or {}, **named)
