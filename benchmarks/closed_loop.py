"""A crowd of clients that each ask again as soon as they are answered: `closed_loop.py PORT CONNECTIONS SECONDS < REQUEST`.

A process of its own that does next to nothing for a request (bytes made once, no HTTP library), so that what is measured is the
service. Prints one line of JSON: requests a second and their times in milliseconds.
"""

import asyncio
import json
import sys
import time


class Client(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self, request: bytes, until: float, took: list[float]) -> None:
        self._request, self._until, self._took = request, until, took
        self._answer, self._whole, self._begun = b"", 0, 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._answer, self._whole, self._begun = b"", 0, time.perf_counter()
        if self._begun < self._until:
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._whole and (end := self._answer.find(b"\r\n\r\n")) >= 0:
            head = self._answer[:end].lower() + b"\r\n"
            if head[9:10] != b"2":
                self.done.set_exception(RuntimeError(self._answer.decode(errors="replace")))
                return
            at = head.index(b"content-length:") + 15
            self._whole = end + 4 + int(head[at : head.index(b"\r\n", at)])
        if self._whole and len(self._answer) >= self._whole:
            self._took.append((time.perf_counter() - self._begun) * 1_000)
            self._ask()


async def crowd(port: int, connections: int, seconds: float, request: bytes) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    until = time.perf_counter() + seconds
    lines = [
        loop.create_connection(lambda: Client(request, until, took), "127.0.0.1", port) for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for _, client in await asyncio.gather(*lines)))
    took.sort()
    return {
        "per_s": len(took) / seconds,
        "p50_ms": took[len(took) // 2],
        "p95_ms": took[int(len(took) * 0.95)],
    }


if __name__ == "__main__":
    asked = sys.stdin.buffer.read()
    print(json.dumps(asyncio.run(crowd(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), asked))))
