"""From a plan's definitions to tools that can be called."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, get_args

from weft.core.errors import Place, PolicyError, SpecError, UnsupportedError, WeftError
from weft.net.egress import EgressPolicy
from weft.tools.client import ClientTool
from weft.tools.function import function_tool, load_function
from weft.tools.http import HttpTool
from weft.tools.port import MAX_RESULT_BYTES, TIMEOUT_S, Effect, Json, Tool
from weft.tools.skills import SkillTool
from weft.tools.threads import Threads

BUILTINS: Mapping[str, tuple[str, Effect]] = {
    "calculator": ("weft.tools.builtin.calculator:calculator", "pure"),
    "current_time": ("weft.tools.builtin.clock:current_time", "idempotent"),
    "duckduckgo_search": ("weft.tools.builtin.duckduckgo:duckduckgo_search", "idempotent"),
    "file_read": ("weft.tools.builtin.files:file_read", "pure"),
    "file_write": ("weft.tools.builtin.write:file_write", "idempotent"),
    "grep": ("weft.tools.builtin.grep:grep", "pure"),
    "head": ("weft.tools.builtin.files:head", "pure"),
    "http_request": ("weft.tools.builtin.web:http_request", "once"),
    "list_files": ("weft.tools.builtin.files:list_files", "pure"),
    "python_exec": ("weft.tools.builtin.python:python_exec", "pure"),
    "search": ("weft.tools.builtin.grep:search", "pure"),
    "spec_verify": ("weft.tools.builtin.verify:spec_verify", "pure"),
    "tail": ("weft.tools.builtin.files:tail", "pure"),
    "tavily_search": ("weft.tools.builtin.tavily:tavily_search", "idempotent"),
    "web_fetch": ("weft.tools.builtin.web:web_fetch", "idempotent"),
}
"""The built-in tools: where each is written, and its effect."""

_LIMIT_S = 3600.0
_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    allowed_modules: Collection[str]
    allowed_folders: Collection[Path]
    policy: EgressPolicy
    threads: Threads
    python_exec: bool


def build_tools(
    definitions: Mapping[str, Mapping[str, Json]],
    *,
    allowed_modules: Collection[str] = (),
    allowed_folders: Collection[Path] = (),
    policy: EgressPolicy | None = None,
    threads: Threads | None = None,
    python_exec: bool = False,
) -> dict[str, Tool]:
    """The tools that `definitions` describe, by name.

    Each definition has a ``kind`` (``builtin``, ``python`` with ``callable``, ``http`` with the fields of an HTTP executor,
    ``skills`` with the texts of skills, ``client`` with ``description`` and ``parameters``) and may have ``effect``, ``timeout_s`` (or ``timeout_ms``) and ``max_bytes``.

    Raises:
        UnsupportedError: there is no such kind or built-in tool.
        SpecError: a definition is wrong.
        PolicyError: a module, a folder or an address is denied, or code is to be run and nobody has allowed that.
        InputError: a base URL is not one.
    """
    around = _Surroundings(
        allowed_modules=allowed_modules,
        allowed_folders=allowed_folders,
        policy=policy or EgressPolicy(),
        threads=threads or Threads(),
        python_exec=python_exec,
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
    if builtin == "python_exec" and not around.python_exec:
        function = _denied(function)
    return function_tool(
        function, name=name, threads=around.threads, effect=effect, declared=definition.get("effect"), **limits
    )


def _denied(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as it is described, every call of which is refused: a file that only names it can still be run."""

    @wraps(function)
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise PolicyError(
            "the tool 'python_exec' is denied: agents may not run code here",
            fix="set `tools.python_exec` to true if you accept what the code may read; docs/tools.md says what holds it back",
        )

    return refuse


def _python(name: str, definition: Mapping[str, Json], limits: Mapping[str, Any], around: _Surroundings) -> Tool:
    function = load_function(
        str(definition.get("callable", "")),
        allowed_modules=around.allowed_modules,
        allowed_folders=around.allowed_folders,
    )
    return function_tool(function, name=name, threads=around.threads, declared=definition.get("effect"), **limits)


def _skills(name: str, definition: Mapping[str, Json], limits: Mapping[str, Any], around: _Surroundings) -> Tool:
    del around
    return SkillTool(name, definition.get("skills") or {}, **limits)


def _http(name: str, definition: Mapping[str, Json], limits: Mapping[str, Any], around: _Surroundings) -> Tool:
    if not definition.get("base_url"):
        raise SpecError(f"the tool {name!r} has no base_url", fix="add the address of the service")
    if definition.get("effect") == "reconcile":
        raise SpecError(
            f"the tool {name!r} has the effect 'reconcile', but an HTTP service cannot be asked about a key",
            fix="use idempotent (the service honours Idempotency-Key) or once",
        )
    return HttpTool(name, definition, policy=around.policy, **limits)


def _client(name: str, definition: Mapping[str, Json], limits: Mapping[str, Any], around: _Surroundings) -> Tool:
    del around
    return ClientTool(name, definition, **limits)


_KINDS: Mapping[str, Callable[[str, Mapping[str, Json], Mapping[str, Any], _Surroundings], Tool]] = {
    "builtin": _builtin,
    "python": _python,
    "http": _http,
    "skills": _skills,
    "client": _client,
}
