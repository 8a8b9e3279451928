"""A relay before a Postgres server that lets nothing pass any more when it is told to, and can keep back that a commit was made."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

_COMMITTED = b"COMMIT\x00"


class Relay:
    """Listens at `host` and passes on to the server of the address `url`; `url` of its own leads through it."""

    def __init__(self, url: str, host: str = "127.0.0.1") -> None:
        where = conninfo_to_dict(url)
        self._server = str(Path(where["host"]) / f".s.PGSQL.{where.get('port') or 5432}")
        self._open: list[socket.socket] = []
        self._passing = threading.Event()
        self._passing.set()
        self._word: bytes | None = None
        self.kept = threading.Event()
        self._given = threading.Event()
        self._door = socket.create_server((host, 0))
        rest = f"{where['dbname']}?user={where['user']}&sslmode=disable&gssencmode=disable"
        self.url = f"postgresql://{host}:{self._door.getsockname()[1]}/{rest}"
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing arrives anywhere, and nobody is told so."""
        self._passing.clear()

    def mend(self) -> None:
        """What was on its way arrives, and what comes after it."""
        self._passing.set()

    def keep_back(self, word: bytes) -> None:
        """The answer to the next commit after a statement with this `word` in it stays here, until `give`."""
        self._word = word

    def give(self) -> None:
        """Hand over what was kept back."""
        self._given.set()

    def close(self) -> None:
        self.mend()
        self.give()
        for one in (self._door, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._open += [client, server]
                said = threading.Event()
                for pump in ((client, server, said, True), (server, client, said, False)):
                    threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, said: threading.Event, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._passing.wait()
                if asks and self._word is not None and self._word in data:
                    self._word = None
                    said.set()
                if not asks and said.is_set() and _COMMITTED in data:
                    said.clear()
                    self.kept.set()
                    self._given.wait()
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
