"""A proxy before a Postgres server that cuts a connection exactly when it commits."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from typing import Literal

Moment = Literal["unheard", "on the way", "unanswered"]
"""The server never hears of the commit; it hears of it as the connection goes; it has committed, and nobody hears that."""
_DONE = b"COMMIT\x00"


class CuttingProxy:
    """Listens on a port of this machine and passes on to a socket of the server's. `arm` has the next commit cut."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._moment: Moment | None = None
        self.cut = threading.Event()
        self._open: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def arm(self, moment: Moment) -> None:
        self.cut.clear()
        self._moment = moment

    def close(self) -> None:
        for one in (self._door, *self._open):
            _shut(one)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._open += [client, server]
                Connection(self, client, server).start()

    def wanted(self) -> Moment | None:
        """When to cut the commit that is about to be passed on."""
        moment, self._moment = self._moment, None
        return moment


class Connection:
    """One connection, message by message on its way there."""

    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._names: set[bytes] = set()
        self._silent = False

    def start(self) -> None:
        for pump in (self._there, self._back):
            threading.Thread(target=pump, daemon=True).start()

    def _there(self) -> None:
        with suppress(OSError, EOFError):
            self._server.sendall(self._message(b""))
            while True:
                message = self._message(self._exactly(1))
                moment = self._proxy.wanted() if self._commits(message) else None
                self._silent = self._silent or moment == "unanswered"
                if moment != "unheard":
                    self._server.sendall(message)
                    if moment == "on the way":
                        # What begins the commit may be a message of its own.
                        while message[:1] not in {b"S", b"Q", b"H"}:
                            message = self._message(self._exactly(1))
                            self._server.sendall(message)
                if moment in {"unheard", "on the way"}:
                    break
            self._proxy.cut.set()
        self._end()

    def _back(self) -> None:
        heard = b""
        with suppress(OSError):
            while data := self._server.recv(65_536):
                if not self._silent:
                    self._client.sendall(data)
                    continue
                heard += data
                if _DONE in heard:
                    self._proxy.cut.set()
                    break
        self._end()

    def _commits(self, message: bytes) -> bool:
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            return body == _DONE
        if kind == b"P":  # parse: a name, and what it is for
            name, said = re.split(rb"\x00", body, maxsplit=1)
            self._names.discard(name)
            if said.startswith(_DONE):
                self._names.add(name)
            return False
        if kind == b"B":  # bind: a portal, and a name
            return body.split(b"\x00", 2)[1] in self._names
        return False

    def _message(self, kind: bytes) -> bytes:
        length = self._exactly(4)
        return kind + length + self._exactly(int.from_bytes(length, "big") - 4)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._client.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _end(self) -> None:
        _shut(self._client)
        _shut(self._server)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
