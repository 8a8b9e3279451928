"""Tools made of Python functions."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from weft.core.errors import PolicyError, SpecError
from weft.tools.port import MAX_RESULT_BYTES, TIMEOUT_S, Effect, Json, ToolContext, ToolSpec
from weft.tools.signature import Signature, read_signature
from weft.tools.threads import Threads

_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z]\w*)")


class FunctionTool:
    """Calls a function: an async one in the event loop, another one in a thread.

    A function with the effect ``reconcile`` carries an attribute ``reconcile``, a function of the idempotency key that
    returns the result of the call made under that key, or None.
    """

    def __init__(self, spec: ToolSpec, function: Callable[..., Any], signature: Signature, *, threads: Threads) -> None:
        self.spec = spec
        self._function = function
        self._signature = signature
        self._threads = threads
        self._reconcile: Callable[[str], Any] | None = getattr(function, "reconcile", None)
        if spec.effect == "reconcile" and not callable(self._reconcile):
            raise SpecError(
                f"the tool {spec.name!r} has the effect 'reconcile', but its function cannot be asked",
                fix="give the function an attribute `reconcile`: a function of the idempotency key",
            )

    def effect_of(self, args: Mapping[str, Json]) -> Effect:  # noqa: ARG002 -- the same for all
        """The effect that was declared."""
        return self.spec.effect

    async def call(self, args: Mapping[str, Json], context: ToolContext) -> Json:
        """Call the function."""
        return await self._invoke(partial(self._function, **self._signature.bind(args, context)), self._function)

    async def check(self, key: str, context: ToolContext) -> Json | None:  # noqa: ARG002 -- the port's
        """Ask the function whether the call under `key` happened."""
        if self._reconcile is None:
            raise SpecError(f"the tool {self.spec.name!r} cannot say whether a call happened", fix="use effect: once")
        return await self._invoke(partial(self._reconcile, key), self._reconcile)

    async def _invoke(self, bound: Callable[[], Any], function: Callable[..., Any]) -> Any:
        if inspect.iscoroutinefunction(inspect.unwrap(function)) or inspect.iscoroutinefunction(function):
            return await bound()
        return await self._threads.run(bound)


def function_tool(
    function: Callable[..., Any],
    *,
    name: str,
    threads: Threads,
    effect: Effect = "idempotent",
    timeout_s: float = TIMEOUT_S,
    max_result_bytes: int = MAX_RESULT_BYTES,
) -> FunctionTool:
    """`function` as a tool; its schema and description come from its signature and docstring.

    Raises:
        SpecError: it cannot be one.
    """
    signature = read_signature(function)
    spec = ToolSpec(
        name=name,
        description=signature.description,
        input_schema=signature.schema,
        effect=effect,
        timeout_s=timeout_s,
        max_result_bytes=max_result_bytes,
    )
    return FunctionTool(spec, function, signature, threads=threads)


def load_function(target: str, *, allowed_modules: Collection[str]) -> Callable[..., Any]:
    """The function that ``package.module:function`` names.

    Its module, and the one that it was written in, must be `allowed_modules` or lie inside one of them; otherwise
    nothing is imported.

    Raises:
        SpecError: there is no such function.
        PolicyError: its module is not allowed.
    """
    found = _NAME.fullmatch(target)
    if found is None:
        raise SpecError(f"{target!r} does not name a function", fix="write package.module:function")
    module_name, attribute = found[1], found[2]
    _require_allowed(module_name, target, allowed_modules)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise SpecError(
            f"the module {module_name!r} cannot be imported: {type(error).__name__}: {error}",
            fix="install it, or correct the name",
        ) from error
    function = getattr(module, attribute, None)
    if not inspect.isfunction(function):
        raise SpecError(f"{module_name!r} has no function {attribute!r}", fix="name a function that is defined there")
    # An allowed module may have imported functions of others, such as os.system.
    _require_allowed(inspect.unwrap(function).__module__, target, allowed_modules)
    return function


def _require_allowed(module: str, target: str, allowed_modules: Collection[str]) -> None:
    if not any(module == allowed or module.startswith(f"{allowed}.") for allowed in allowed_modules):
        raise PolicyError(
            f"the tool {target!r} is denied: the module {module!r} is not allowed",
            fix=f"add {module!r} to the setting `tools.allowed_modules` if you trust it",
        )
