"""Checking a workflow that an agent has written."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from weft.core.errors import ToolError
from weft.tools.port import ToolContext


def spec_verify(
    context: ToolContext,
    spec_content: Annotated[str, Field(min_length=1, max_length=1_000_000)],
    check_capability: bool = True,
) -> dict[str, Any]:
    """Check the text of a workflow file. The result has valid and problems, each with line, pointer, message and fix.

    Args:
        context: What the call may use.
        spec_content: The text of the workflow, YAML or JSON.
        check_capability: Whether to say also what this version does not run.
    """
    check = context.options.check_workflow
    if check is None:
        raise ToolError("workflows cannot be checked here", fix="use `weft validate FILE`")
    result: dict[str, Any] = check(spec_content, check_capability)
    return result
