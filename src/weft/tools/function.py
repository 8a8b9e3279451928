"""Tools made of Python functions."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from weft.core.errors import PolicyError, SpecError
from weft.tools.port import MAX_RESULT_BYTES, TIMEOUT_S, Effect, Json, ToolContext, ToolSpec
from weft.tools.signature import Signature, read_signature
from weft.tools.threads import Threads

_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z]\w*)")
_FILE = re.compile(r"(.{1,4096}\.py):([A-Za-z]\w*)", re.DOTALL)


class FunctionTool:
    """Calls a function: an async one in the event loop, another one in a thread.

    A function with the effect ``reconcile`` carries an attribute ``reconcile``, a function of the idempotency key that
    returns the result of the call made under that key, or None. One whose effect depends on its arguments may carry
    ``effect_of``, a function of them; it speaks where no effect was `declared`.
    """

    def __init__(
        self,
        spec: ToolSpec,
        function: Callable[..., Any],
        signature: Signature,
        *,
        threads: Threads,
        declared: Effect | None = None,
    ) -> None:
        self.spec = spec
        self._effect_of: Callable[[Mapping[str, Json]], Effect] | None = (
            None if declared else getattr(function, "effect_of", None)
        )
        self._function = function
        self._is_async = _is_async(function)
        self._signature = signature
        self._threads = threads
        self._reconcile: Callable[[str], Any] | None = getattr(function, "reconcile", None)
        if spec.effect == "reconcile" and not callable(self._reconcile):
            raise SpecError(
                f"the tool {spec.name!r} has the effect 'reconcile', but its function cannot be asked",
                fix="give the function an attribute `reconcile`: a function of the idempotency key",
            )

    def effect_of(self, args: Mapping[str, Json]) -> Effect:
        """The effect that was declared, or what the function says of these arguments."""
        return self._effect_of(args) if self._effect_of else self.spec.effect

    async def call(self, args: Mapping[str, Json], context: ToolContext) -> Json:
        """Call the function."""
        return await self._invoke(partial(self._function, **self._signature.bind(args, context)), self._is_async)

    async def check(self, key: str, context: ToolContext) -> Json | None:  # noqa: ARG002 -- the port's
        """Ask the function whether the call under `key` happened."""
        if self._reconcile is None:
            raise SpecError(f"the tool {self.spec.name!r} cannot say whether a call happened", fix="use effect: once")
        return await self._invoke(partial(self._reconcile, key), _is_async(self._reconcile))

    async def _invoke(self, bound: Callable[[], Any], is_async: bool) -> Any:
        return await (bound() if is_async else self._threads.run(bound))


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(function)) or inspect.iscoroutinefunction(function)


def function_tool(
    function: Callable[..., Any],
    *,
    name: str,
    threads: Threads,
    effect: Effect = "idempotent",
    declared: Effect | None = None,
    timeout_s: float = TIMEOUT_S,
    max_result_bytes: int = MAX_RESULT_BYTES,
) -> FunctionTool:
    """`function` as a tool; its schema and description come from its signature and docstring.

    `effect` is what is known of the function, `declared` what a workflow says, which goes over it.

    Raises:
        SpecError: it cannot be one.
    """
    signature = read_signature(function)
    spec = ToolSpec(
        name=name,
        description=signature.description,
        input_schema=signature.schema,
        effect=declared or effect,
        timeout_s=timeout_s,
        max_result_bytes=max_result_bytes,
    )
    return FunctionTool(spec, function, signature, threads=threads, declared=declared)


def load_function(
    target: str, *, allowed_modules: Collection[str], allowed_folders: Collection[Path] = ()
) -> Callable[..., Any]:
    """The function that ``package.module:function`` or ``/folder/file.py:function`` names.

    Its module, and the one that it was written in, must be `allowed_modules` or lie inside one of them, and a file inside one
    of `allowed_folders`; otherwise nothing is imported.

    Raises:
        SpecError: there is no such function.
        PolicyError: its module or folder is not allowed.
    """
    if in_file := _FILE.fullmatch(target):
        file = _file_module(Path(in_file[1]), allowed_folders)
        function = _function_of(file, in_file[1], in_file[2])
        _require_own(function, file, target, allowed_modules, allowed_folders)
        return function
    found = _NAME.fullmatch(target)
    if found is None:
        raise SpecError(
            f"{target!r} does not name a function", fix="write package.module:function or ./file.py:function"
        )
    module_name, attribute = found[1], found[2]
    _require_allowed(module_name, target, allowed_modules)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # importing runs the user's code
        raise SpecError(
            f"the module {module_name!r} cannot be imported: {type(error).__name__}: {error}",
            fix="install it, or correct the name",
        ) from error
    function = _function_of(module, module_name, attribute)
    # An allowed module may have imported functions of others, such as os.system.
    _require_allowed(inspect.unwrap(function).__module__, target, allowed_modules)
    return function


def _require_allowed(module: str, target: str, allowed_modules: Collection[str]) -> None:
    if not any(module == allowed or module.startswith(f"{allowed}.") for allowed in allowed_modules):
        raise PolicyError(
            f"the tool {target!r} is denied: the module {module!r} is not allowed",
            fix=f"add {module!r} to the setting `tools.allowed_modules` if you trust it",
        )


def _require_own(
    function: Callable[..., Any],
    file: ModuleType,
    target: str,
    allowed_modules: Collection[str],
    allowed_folders: Collection[Path],
) -> None:
    """See to it that a function was written in the file, or where else tools may come from: a file imports many others."""
    owner = inspect.unwrap(function).__module__
    source = getattr(sys.modules.get(owner), "__file__", None)
    if owner == file.__name__ or (
        source and any(Path(source).resolve().is_relative_to(folder.resolve()) for folder in allowed_folders)
    ):
        return
    _require_allowed(owner, target, allowed_modules)


def _function_of(module: ModuleType, name: str, attribute: str) -> Callable[..., Any]:
    function = getattr(module, attribute, None)
    if not inspect.isfunction(function):
        raise SpecError(f"{name!r} has no function {attribute!r}", fix="name a function that is defined there")
    return function


def _file_module(path: Path, allowed_folders: Collection[Path]) -> ModuleType:
    # Resolved first, so that a link inside an allowed folder does not lead out of it.
    file = path.resolve()
    if not any(file.is_relative_to(folder.resolve()) for folder in allowed_folders):
        raise PolicyError(
            f"the file {path} is denied as a source of tools: its folder is not allowed",
            fix=f"add {str(file.parent)!r} to the setting `tools.allowed_folders` if you trust what is in it",
        )
    name = f"weft_tool_file_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise SpecError(f"there is no file {path}", fix="correct the path; it is relative to the workflow file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # importing runs the user's code
        del sys.modules[name]
        raise SpecError(
            f"the file {path} cannot be imported: {type(error).__name__}: {error}", fix="correct the file"
        ) from error
    return module
