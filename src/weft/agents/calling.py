"""Calling a tool inside a step: what may pass by itself is told apart from what will not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.core.errors import RateLimitError, StepTimeoutError, ToolError, TransientError
from weft.tools.port import Tool, ToolContext
from weft.tools.runner import run_tool

_PASSING = {"transient": TransientError, "rate-limited": RateLimitError, "timeout": StepTimeoutError}
"""By the cause that a tool's failure names: as what the engine must see it, to try again or, for ``once``, to doubt."""


async def call_tool(tool: Tool, arguments: Mapping[str, Any], context: ToolContext) -> Any:
    """The result of one call.

    Raises:
        TransientError: the failure may pass by itself (so too `RateLimitError`, `StepTimeoutError`).
        ToolError: it will not.
    """
    try:
        return await run_tool(tool, arguments, context)
    except ToolError as error:
        kind = _PASSING.get(str(error.ids.get("cause")))
        if kind is None:
            raise
        raise kind(error.message, fix=error.fix, place=error.place, **error.ids) from error
