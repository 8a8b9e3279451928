"""The inbox of a run: what other processes want of it. A bell, a file whose time stamp changes, saves drivers from polling SQL."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.errors import StorageError
from weft.store.port import Bell
from weft.store.sealing import Spot, as_stored, is_sealed, of_run, open_text
from weft.store.sql import Transaction


@dataclass(frozen=True, slots=True)
class Message:
    """One wish, such as ``cancel``; `key` makes a repeated one harmless."""

    id: int
    run_id: str
    key: str
    kind: str
    data: Any


class Inbox:
    """Messages that wait for the drivers of runs."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def post(self, run_id: str, *, key: str, kind: str, data: Any, at: int) -> Callable[[Transaction], bool]:
        """Work for the writer: leave a message; the result says whether it is new."""

        def work(connection: Transaction) -> bool:
            tenant = of_run(connection, run_id)
            (text,) = as_stored(connection, "inbox", tenant, (run_id, key), data=json.dumps(data))
            done = connection.execute(
                "INSERT INTO inbox (run_id, key, kind, data, at) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
                (run_id, key, kind, text, at),
            )
            return done.rowcount == 1

        return work

    def look(self, run_ids: Iterable[str]) -> Callable[[Transaction], list[Message]]:
        """Work for the writer: the untaken messages of these runs, oldest first. They stay until they are taken."""
        return self._found(run_ids, taken=False)

    def take(self, run_ids: Iterable[str]) -> Callable[[Transaction], list[Message]]:
        """Work for the writer: the untaken messages of these runs, oldest first, now taken."""
        return self._found(run_ids, taken=True)

    def _found(self, run_ids: Iterable[str], *, taken: bool) -> Callable[[Transaction], list[Message]]:
        wanted = set(run_ids)

        def work(connection: Transaction) -> list[Message]:
            rows = connection.execute("SELECT id, run_id, key, kind, data FROM inbox WHERE taken=0 ORDER BY id")
            mine = [
                Message(id_, run_id, key, kind, json.loads(_said(connection, run_id, key, data)))
                for id_, run_id, key, kind, data in rows.fetchall()
                if run_id in wanted
            ]
            if taken:
                connection.executemany("UPDATE inbox SET taken=1 WHERE id=?", [(message.id,) for message in mine])
            return mine

        return work

    def ring(self) -> None:
        """Tell drivers, once a message is durable, to look.

        Raises:
            StorageError: the bell cannot be rung; a driver finds the message when it next looks.
        """
        self._bell.ring()

    def bell(self) -> tuple[int, int]:
        """A value that changes when somebody rings."""
        return self._bell.heard()


def _said(connection: Transaction, run_id: str, key: str, text: str) -> str:
    if not is_sealed(text):
        return text
    return open_text(connection.seal, Spot(of_run(connection, run_id), "inbox", "data", (run_id, key)), text)


class FileBell:
    """A file whose time stamp changes. With None, a bell for this process alone."""

    def __init__(self, bell: Path | None) -> None:
        self._bell = bell
        self._in_memory_rings = 0
        self._closed = False
        self._fd: int | None = None
        """The file, held open: to ask it by its name takes three times as long, and it is asked twice for each run."""

    def ring(self) -> None:
        """See `weft.store.port.Bell`."""
        self._in_memory_rings += 1
        if self._bell is None:
            return
        try:
            # Appending a byte changes size and time stamp both, whatever the granularity of the latter.
            with self._bell.open("ab") as file:
                file.write(b".")
        except OSError as error:
            raise StorageError(
                f"cannot write {self._bell}: {error.strerror}",
                fix="free some space or check its rights, then try again",
            ) from error

    def heard(self) -> tuple[int, int]:
        """See `weft.store.port.Bell`."""
        if self._bell is None:
            return (self._in_memory_rings, 0)
        for _ in range(0 if self._closed else 2):
            if self._fd is None:
                try:
                    self._fd = os.open(self._bell, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                except OSError:
                    break
            stat = os.fstat(self._fd)
            if stat.st_nlink:
                return (stat.st_mtime_ns, stat.st_size)
            # Somebody has removed it: whoever rings next makes another.
            self._let_go()
        return (0, 0)

    def close(self) -> None:
        """Let go of the file; nothing is heard any more."""
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
