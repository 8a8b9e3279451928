"""What a person does with servers outside runs: try them, log in, look at changed descriptions and accept them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from weft.core.errors import InputError, NotFoundError, WeftError
from weft.tools.mcp.connection import Connection
from weft.tools.mcp.descriptor import Descriptor
from weft.tools.mcp.findings import Change, Tried
from weft.tools.mcp.oauth import Login, token_file
from weft.tools.mcp.pool import Surroundings, open_way
from weft.tools.mcp.server import Server, read_server
from weft.tools.mcp.versions import Versions
from weft.tools.mcp.web import Web
from weft.tools.port import ToolContext


class McpDesk:
    """The servers of one workflow, as `definitions` has them."""

    def __init__(
        self, definitions: Mapping[str, Mapping[str, Any]], around: Surroundings, context: ToolContext
    ) -> None:
        self._definitions = definitions
        self._around = around
        self._context = context
        self._versions = Versions(around.home / "descriptors")

    async def test(self) -> list[Tried]:
        """Start or reach each server, and list its tools."""
        return list(await asyncio.gather(*(self._try(name) for name in self._definitions)))

    async def login(self, name: str, show: Callable[[str], Awaitable[None]]) -> Tried:
        """Log in to a server; `show` is given the address to open in a browser.

        Raises:
            AuthError: the login was refused, or nobody came.
            InputError: the server has no login.
            NotFoundError: there is no such server.
        """
        server = self._server(name)
        if server.grant is None or server.grant.kind != "authorization_code":
            raise InputError(
                f"{server.shown} has no login", fix="add `oauth: {}` to it if it asks for authorization by a person"
            )
        expand = self._context.secrets.expand
        tokens = token_file(server, self._around.home, expand, on_secret=self._around.on_secret)
        login = Login(server, tokens, show)
        try:
            auth = await login.begin()
            headers = {key: expand(value) for key, value in server.headers.items()}
            way = Web(server, headers=headers, policy=self._around.policy, auth=auth)
            patient = read_server(name, {**self._definitions[name], "startup_timeout_s": 600})
            return await self._looked(patient, Connection(patient, way))
        finally:
            await login.end()

    def changes(self) -> list[Change]:
        """Every description that has changed and is not accepted."""
        found = []
        for name in self._definitions:
            for tool, (before, now) in self._versions.open_changes(self._server(name)).items():
                found.append(Change(server=name, tool=tool, before=_shown(before), now=_shown(now)))
        return found

    def accept(self, name: str, tools: list[str]) -> list[str]:
        """Accept the latest descriptions of these tools of a server, or of all; returns their names.

        Raises:
            NotFoundError: there is no such server, or no such tool was seen.
        """
        return self._versions.accept(self._server(name), tools)

    def _server(self, name: str) -> Server:
        if name not in self._definitions:
            raise NotFoundError(
                f"the workflow has no MCP server {name!r}",
                fix=f"it has: {', '.join(self._definitions) or 'none'}",
            )
        return read_server(name, self._definitions[name])

    async def _try(self, name: str) -> Tried:
        server: Server | None = None
        try:
            server = self._server(name)
            connection = Connection(server, await open_way(server, self._context, self._around))
            return await self._looked(server, connection)
        except WeftError as error:
            said = self._context.secrets.mask_json(error.as_json())
            return Tried(server=name, error=said, optional=server is not None and server.optional)

    async def _looked(self, server: Server, connection: Connection) -> Tried:
        try:
            await connection.open()
            tools = await connection.tools()
            return Tried(server=server.id, facts=connection.facts, tools=tuple(_row(server, one) for one in tools))
        finally:
            await connection.close()


def _row(server: Server, tool: Descriptor) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.shown_description,
        "effect": tool.effect(server.effects.get(tool.name, server.effect)),
        "allowed": server.tools is None or tool.name in server.tools,
        "hidden_text": tool.shown_description != tool.description,
        "digest": tool.digest,
        "input_schema": tool.shown_schema,
    }


def _shown(data: Mapping[str, Any]) -> dict[str, Any]:
    tool = Descriptor.from_json(data)
    return {**tool.as_json(), "description": tool.shown_description, "input_schema": tool.shown_schema}
