"""The one way to call a tool: arguments checked, time and size limited, every failure an observation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from jsonschema.protocols import Validator
from referencing.exceptions import Unresolvable

from weft.core import canonical
from weft.core.errors import ToolError, WeftError
from weft.core.json_schema import problems, validator
from weft.core.unexpected import described
from weft.tools.port import Json, Tool, ToolContext, ToolSpec
from weft.tools.result import json_safe, limited

_PROBLEMS = 5
_MESSAGE = 1000
_KEPT = 1_000
_VALIDATORS: dict[int, tuple[ToolSpec, Validator]] = {}


async def run_tool(tool: Tool, args: Mapping[str, Json], context: ToolContext) -> Json:
    """The result of one call, as JSON of at most ``spec.max_result_bytes``, secrets masked.

    A function in a thread that is given up at its time limit goes on in the background: threads cannot be killed.

    Raises:
        ToolError: the arguments do not fit, it failed, took too long, or returned what JSON has no form for. Its ids say
            which ``tool``, and the ``cause``: ``input``, ``timeout``, ``error``, or the code of the error that it raised.
    """
    problem = argument_problem(tool.spec, args)
    if problem:
        raise _failure(tool, context, problem, cause="input", fix="correct the arguments and call it again")
    return await _guarded(tool, context, lambda: tool.call(args, context))


async def reconcile_tool(tool: Tool, context: ToolContext) -> Json | None:
    """What the call under ``context.key`` returned, or None when it did not happen; for effect ``reconcile``.

    Raises:
        ToolError: the tool cannot say.
    """
    return await _guarded(tool, context, lambda: tool.check(context.key, context))


def argument_problem(spec: ToolSpec, args: Any) -> str:
    """What is wrong with `args`, in a sentence for the agent; empty when they fit the schema."""
    found: list[str] = []
    try:
        for error in problems(_validator(spec), args, _PROBLEMS):
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
            found.append(f"{where.lstrip('.') or 'arguments'}: {_shortened(error.message, 200)}")
    except Unresolvable as error:
        return f"the arguments of {spec.name!r} cannot be checked: its schema refers to {error.ref!r}"
    return f"the arguments of {spec.name!r} do not fit: {'; '.join(found)}" if found else ""


def _validator(spec: ToolSpec) -> Validator:
    """The validator of a tool's arguments, made once: making one costs more than most checks."""
    known = _VALIDATORS.get(id(spec))
    if known is None or known[0] is not spec:
        if len(_VALIDATORS) >= _KEPT:
            _VALIDATORS.clear()
        known = _VALIDATORS[id(spec)] = (spec, validator(spec.input_schema))
    return known[1]


async def _guarded(tool: Tool, context: ToolContext, perform: Callable[[], Awaitable[Json]]) -> Json:
    spec = tool.spec
    limit = asyncio.timeout(spec.timeout_s)
    try:
        async with limit:
            value = await perform()
        # Round the encoding, so that what is used first is what the journal gives back.
        value = canonical.loads(canonical.dumps(json_safe(value)))
        return limited(context.secrets.mask_json(value), spec.max_result_bytes)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _failure(tool, context, f"{spec.name!r} cancelled itself", cause="error") from error
    except WeftError as error:
        raise _failure(tool, context, error.message, cause=error.code, fix=error.fix) from error
    except (Exception, SystemExit) as error:  # a tool is code of the user's, which may raise anything
        if isinstance(error, TimeoutError) and limit.expired():
            message = f"{spec.name!r} took longer than its limit of {spec.timeout_s:g} s"
            raise _failure(tool, context, message, cause="timeout", fix="ask for less, or raise its limit") from error
        raise _failure(tool, context, f"{spec.name!r} failed: {described(error)}", cause="error") from error


def _failure(tool: Tool, context: ToolContext, message: str, *, cause: str, fix: str = "") -> ToolError:
    mask = context.secrets.mask
    return ToolError(
        _shortened(mask(message), _MESSAGE),
        fix=mask(fix) or "see what the tool needs, or go on without it",
        tool=tool.spec.name,
        cause=cause,
    )


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
