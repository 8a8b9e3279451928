"""The socket that the service listens on."""

import asyncio
import socket

from weft.cli.serving import _listen


async def test_answers_do_not_wait_for_acknowledgements():
    seen = asyncio.get_running_loop().create_future()

    def connected(_, writer):
        accepted = writer.get_extra_info("socket")
        seen.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = _listen("127.0.0.1", 0)
    server = await asyncio.start_server(connected, sock=listening)
    _, writer = await asyncio.open_connection(*listening.getsockname())
    assert await asyncio.wait_for(seen, 30)
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
