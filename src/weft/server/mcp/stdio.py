"""The same server over a pipe: one client, that of the process which started this one."""

from __future__ import annotations

from mcp.server.stdio import stdio_server

from weft.app.hosting import Host
from weft.server.mcp.server import WeftServer


async def serve(host: Host) -> None:
    """Serve until the client closes the pipe. Whoever starts this process is the local user."""
    server = WeftServer(host)
    async with server.open(), stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
