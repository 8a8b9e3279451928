"""From a plan's definitions to tools that can be called."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from weft.core.errors import Place, SpecError, UnsupportedError, WeftError
from weft.net.egress import EgressPolicy
from weft.tools.function import function_tool, load_function
from weft.tools.http import HttpTool
from weft.tools.port import MAX_RESULT_BYTES, TIMEOUT_S, Effect, Json, Tool
from weft.tools.threads import Threads

BUILTINS: Mapping[str, tuple[str, Effect]] = {
    "calculator": ("weft.tools.builtin.calculator:calculator", "pure"),
    "current_time": ("weft.tools.builtin.clock:current_time", "idempotent"),
    "file_read": ("weft.tools.builtin.files:file_read", "pure"),
    "grep": ("weft.tools.builtin.grep:grep", "pure"),
    "head": ("weft.tools.builtin.files:head", "pure"),
    "list_files": ("weft.tools.builtin.files:list_files", "pure"),
    "tail": ("weft.tools.builtin.files:tail", "pure"),
}
"""The built-in tools: where each is written, and its effect."""

_LIMIT_S = 3600.0
_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    allowed_modules: Collection[str]
    policy: EgressPolicy
    threads: Threads


def build_tools(
    definitions: Mapping[str, Mapping[str, Json]],
    *,
    allowed_modules: Collection[str] = (),
    policy: EgressPolicy | None = None,
    threads: Threads | None = None,
) -> dict[str, Tool]:
    """The tools that `definitions` describe, by name.

    Each definition has a ``kind`` (``builtin``, ``python`` with ``callable``, ``http`` with the fields of an HTTP executor)
    and may have ``effect``, ``timeout_s`` (or ``timeout_ms``) and ``max_bytes``.

    Raises:
        UnsupportedError: there is no such kind or built-in tool.
        SpecError: a definition is wrong.
        PolicyError: a module or an address is denied.
        InputError: a base URL is not one.
    """
    around = _Surroundings(
        allowed_modules=allowed_modules, policy=policy or EgressPolicy(), threads=threads or Threads()
    )
    return {name: _build(name, definition, around) for name, definition in definitions.items()}


def _build(name: str, definition: Mapping[str, Json], around: _Surroundings) -> Tool:
    kind = definition.get("kind")
    build = _KINDS.get(str(kind))
    try:
        if build is None:
            raise UnsupportedError(
                f"the tool {name!r} is of the kind {kind!r}, which this version does not have",
                fix=f"use one of: {', '.join(_KINDS)}",
            )
        return build(name, definition, _limits(definition), around)
    except WeftError as error:
        if error.place == Place():
            error.place = Place(pointer=f"/tools/{name}")
        raise


def _limits(definition: Mapping[str, Json]) -> dict[str, Any]:
    milliseconds = definition.get("timeout_ms")
    timeout_s = definition.get("timeout_s", TIMEOUT_S if milliseconds is None else milliseconds / 1000)
    max_bytes = definition.get("max_bytes", MAX_RESULT_BYTES)
    effect = definition.get("effect")
    if not 0 < timeout_s <= _LIMIT_S:
        raise SpecError(f"a time limit of {timeout_s} s is not possible", fix=f"use up to {_LIMIT_S:g} seconds")
    if not 1024 <= max_bytes <= _LIMIT_BYTES:
        raise SpecError(f"a result of {max_bytes} bytes is not possible", fix=f"use 1024 to {_LIMIT_BYTES}")
    if effect is not None and effect not in get_args(Effect):
        raise SpecError(f"{effect!r} is not an effect", fix=f"use one of: {', '.join(get_args(Effect))}")
    return {"timeout_s": float(timeout_s), "max_result_bytes": int(max_bytes)}


def _builtin(name: str, definition: Mapping[str, Json], limits: Mapping[str, Any], around: _Surroundings) -> Tool:
    builtin = str(definition.get("builtin") or name)
    if builtin not in BUILTINS:
        raise UnsupportedError(
            f"there is no built-in tool {builtin!r}", fix=f"use one of: {', '.join(BUILTINS)}; or a Python function"
        )
    target, effect = BUILTINS[builtin]
    module, _, attribute = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function_tool(
        function, name=name, threads=around.threads, effect=definition.get("effect") or effect, **limits
    )


def _python(name: str, definition: Mapping[str, Json], limits: Mapping[str, Any], around: _Surroundings) -> Tool:
    function = load_function(str(definition.get("callable", "")), allowed_modules=around.allowed_modules)
    effect: Effect = definition.get("effect") or "idempotent"
    return function_tool(function, name=name, threads=around.threads, effect=effect, **limits)


def _http(name: str, definition: Mapping[str, Json], limits: Mapping[str, Any], around: _Surroundings) -> Tool:
    if not definition.get("base_url"):
        raise SpecError(f"the tool {name!r} has no base_url", fix="add the address of the service")
    if definition.get("effect") == "reconcile":
        raise SpecError(
            f"the tool {name!r} has the effect 'reconcile', but an HTTP service cannot be asked about a key",
            fix="use idempotent (the service honours Idempotency-Key) or once",
        )
    return HttpTool(name, definition, policy=around.policy, **limits)


_KINDS: Mapping[str, Callable[[str, Mapping[str, Json], Mapping[str, Any], _Surroundings], Tool]] = {
    "builtin": _builtin,
    "python": _python,
    "http": _http,
}
