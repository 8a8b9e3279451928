"""The MCP servers of runs; what speaks to them is loaded with the first workflow that has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from weft.app.parts import load
from weft.core.errors import UnsupportedError
from weft.core.settings import Settings
from weft.engine.port import StepContext
from weft.net.egress import EgressPolicy
from weft.plan.nodes import Plan
from weft.tools.port import Tool, ToolContext

FOLDER = "mcp"
"""Below ``WEFT_HOME``: tokens, and the descriptions of tools that were seen."""


class Servers:
    """Reaches the MCP servers of the runs that a process drives."""

    def __init__(
        self,
        settings: Settings,
        policy: EgressPolicy,
        on_secret: Callable[[str], object],
        tools_of: Callable[[Plan], Mapping[str, Tool]],
        tool_context: Callable[[StepContext], ToolContext],
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._on_secret = on_secret
        self._tools_of = tools_of
        self._tool_context = tool_context
        self._pool: Any = None

    def check(self, plan: Plan) -> None:
        """Find out before a run begins what is wrong with its servers, without reaching them.

        Raises:
            UnsupportedError: what speaks to servers is not installed.
            WeftError: a definition or an address is wrong or denied.
        """
        definitions = plan.definitions.get("mcp")
        if definitions:
            self._opened().check(definitions)

    async def tools(self, context: StepContext) -> Mapping[str, Tool]:
        """The tools of the servers of the run that `context` belongs to; the first time, the servers are started.

        Raises:
            WeftError: a server that is not optional cannot be reached or used.
        """
        definitions = context.plan.definitions.get("mcp")
        if not definitions:
            return {}
        tools: Mapping[str, Tool] = await self._opened().tools(
            context.run_id,
            definitions,
            self._tool_context(context),
            history=context.events,
            taken=self._tools_of(context.plan),
        )
        return tools

    async def leave(self, run_id: str) -> None:
        """End what a run has opened."""
        if self._pool is not None:
            await self._pool.leave(run_id)

    async def close(self) -> None:
        """End everything."""
        if self._pool is not None:
            await self._pool.aclose()

    def _opened(self) -> Any:
        if self._pool is None:
            part = load_mcp("mcp")
            around = part.Surroundings(
                home=self._settings.home / FOLDER,
                policy=self._policy,
                on_change=self._settings.tools.mcp_changed,
                on_secret=self._on_secret,
            )
            self._pool = part.McpPool(around)
        return self._pool


def load_mcp(name: str) -> Any:
    """A part that speaks to servers.

    Raises:
        UnsupportedError: the library for it is not installed.
    """
    try:
        return load(name)
    except ImportError as error:
        raise UnsupportedError(
            "the workflow has MCP servers, and the library that speaks to them is not installed",
            fix="run: pip install 'weft[mcp]'",
        ) from error
