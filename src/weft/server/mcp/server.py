"""The server: one object that speaks both eras of the protocol, over whatever transport."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)

import weft
from weft.app.hosting import Host
from weft.core.errors import InternalError, WeftError
from weft.server.mcp.abandoning import Abandoned
from weft.server.mcp.calls import Calls
from weft.server.mcp.changes import Changes
from weft.server.mcp.exchange import Context
from weft.server.mcp.identity import caller_now, state_security
from weft.server.mcp.naming import named
from weft.server.mcp.offer import GENERIC, generic_tools, tool_of
from weft.server.mcp.results import Results
from weft.server.mcp.runs import RunTools

_LOG = logging.getLogger("weft.server.mcp")
NAME = "weft"
_INSTRUCTIONS = (
    "Each tool runs a durable workflow or agent and returns its answer. A result whose status is `waiting` or `running` is not "
    "the end: it says how to go on. weft_start starts a run without waiting for it."
)


class WeftServer(Server[Any]):
    """The protocol's server over one host. `url` is the address of the service, empty over a pipe."""

    def __init__(self, host: Host, *, url: str = "") -> None:
        self._host = host
        self.changes = Changes(host.library)
        self.abandoned = Abandoned(host)
        self._results = Results(host.journal, url)
        self._calls = Calls(host, self._results, self.abandoned)
        self._runs = RunTools(host, self._results)
        super().__init__(
            NAME,
            title="Weft",
            version=weft.__version__,
            description="Durable workflows of agents, tools and people.",
            instructions=_INSTRUCTIONS,
            # Without it the library would list all tools before each call, to look for headers that no tool of ours declares.
            get_tool_input_schema=lambda _: None,
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_subscriptions_listen=ListenHandler(self.changes.listeners),
        )
        security = state_security(host.settings.home)
        self.middleware.append(RequestStateBoundary(security, default_audience=NAME))
        self.middleware.extend([self.changes.listen, self.abandoned.listen])

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """See `Server.create_initialization_options`: sessions are told when the tools change."""
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """What runs beside the requests."""
        async with self.changes.watching():
            try:
                yield
            finally:
                await self.abandoned.close()

    async def _list(self, ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        del ctx, params
        tenant = caller_now().tenant
        served = self._host.library.all(tenant=tenant)
        self.changes.told(tenant, served)
        own = [tool_of(name, one) for name, one in named(served, GENERIC).items()]
        return ListToolsResult(tools=[*own, *generic_tools()])

    async def _call(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        caller = caller_now()
        try:
            if params.name in GENERIC:
                return await self._runs.perform(params.name, params.arguments or {}, caller)
            target = named(self._host.library.all(tenant=caller.tenant), GENERIC).get(params.name)
            if target is None:
                raise MCPError(INVALID_PARAMS, f"there is no tool {params.name!r}")
            caller.demand("runs:start", "/mcp")
            return await self._calls.perform(ctx, params, target, caller)
        except WeftError as error:
            return self._results.refusal(error)
        except MCPError:
            raise
        except Exception as error:  # noqa: BLE001 -- told in the log
            _LOG.exception("a defect while calling %r", params.name)
            return self._results.refusal(
                InternalError(f"a defect of Weft: {type(error).__name__}", fix="the log of the service has the details")
            )
