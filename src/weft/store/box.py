"""Sealing what is kept in files beside the store, with the keys that are in it."""

from __future__ import annotations

from dataclasses import dataclass

from weft.store.sealing import STORE, Seal, Spot, open_bytes
from weft.store.writer import Writer


@dataclass(frozen=True, slots=True)
class SealedBox:
    """Seals and opens bytes under the name of their file."""

    seal: Seal
    writer: Writer

    def closed(self, name: str, plain: bytes) -> bytes:
        """`plain` as the file is to hold it. It waits for the writer, for the first time makes the key."""
        if not self.seal.writes:
            return plain
        sealed: bytes = self.writer.call(lambda connection: self.seal.seal(connection, _spot(name), plain))
        return sealed

    def opened(self, name: str, held: bytes) -> bytes:
        """What a file holds, sealed or not.

        Raises:
            MismatchError: it is not what was sealed under this name.
            StorageError: its key is not there.
        """
        return open_bytes(self.seal, _spot(name), held)


def _spot(name: str) -> Spot:
    return Spot(STORE, "files", "bytes", (name,))
