"""What of the store is sealed when that is asked for, and the small port behind which the keys are.

Sealed is what users give and get; what the database has to find, order and compare stays as it is. `CONTENT` says of each column of
text that is sealed how its row is found again, and that belongs to what is proved when it is opened: a sealed value that was
moved to another row, column or tenant opens no more. Events, blobs and plans, whose columns are bytes, are sealed where they are written.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from weft.core.errors import MismatchError, StorageError

BYTES = b"\x00ws1"
"""How sealed bytes begin; nothing that is stored in plain does, for that is JSON."""
TEXT = "\x01"
"""How sealed text begins. The letter behind it says how its bytes are written."""
STORE = ""
"""Whose what belongs to no tenant is: plans, which tenants share."""


class ShreddedError(StorageError):
    """The key of a sealed value was destroyed, and with it the value."""


class Content(NamedTuple):
    """Columns of one table that are sealed, and those that make its key."""

    key: tuple[str, ...]
    texts: tuple[str, ...]


CONTENT: Mapping[str, Content] = {
    "runs": Content(("id",), ("inputs", "options", "outputs", "error", "waits")),
    "gates": Content(("id",), ("request", "decision")),
    "inbox": Content(("run_id", "key"), ("data",)),
    "signals": Content(("run_id", "key"), ("data",)),
    "automations": Content(("tenant", "name"), ("rule", "request")),
    "firings": Content(("tenant", "automation", "key"), ("variables", "reason")),
    "workflows": Content(("tenant", "name", "version"), ("source", "note")),
    "requests": Content(("tenant", "principal", "scope", "key"), ("body",)),
    "sessions": Content(("tenant", "id"), ("title",)),
    "messages": Content(("run_id", "role"), ("content",)),
    "task_messages": Content(("tenant", "run_id", "message", "kind"), ("body",)),
    "webhooks": Content(("tenant", "id"), ("url", "config", "secret")),
    "deliveries": Content(("tenant", "webhook", "id"), ("body", "answer")),
}
"""Every column of text that is sealed."""


class Spot(NamedTuple):
    """Where a sealed value stands, and whose it is."""

    tenant: str
    table: str
    column: str
    key: tuple[Any, ...]

    def bound(self) -> bytes:
        """What the seal vouches for beside the value; no two spots have the same."""
        tenant, table, column, key = self
        told = _told(tenant) + _told(table) + _told(column)
        for part in key:
            told += f"{len(part)}:{part}" if isinstance(part, str) else _told(str(part))
        return told.encode(errors="surrogatepass")

    def __str__(self) -> str:
        return f"{self.table}.{self.column} of {'/'.join(map(str, self.key))}"


class Keeping(Protocol):
    """What of a transaction (`weft.store.sql.Transaction`) a seal needs."""

    seal: Seal | None

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement."""


@lru_cache(1_024)
def _told(part: str) -> str:
    return f"{len(part)}:{part}"


class Seal(Protocol):
    """Seals with a key of each tenant, and opens what was sealed with any key that it has ever had."""

    writes: bool
    """Whether what is written is to be sealed; else it only opens."""

    def seal(self, connection: Keeping, spot: Spot, plain: bytes) -> bytes:
        """`plain` as it is stored at `spot`; the first time of a tenant, this makes its key, in the transaction that is open."""

    def open(self, spot: Spot, sealed: bytes) -> bytes:
        """What was sealed.

        Raises:
            MismatchError: it is not what was sealed at this spot.
            StorageError: its key is not there.
        """

    def name(self, connection: Keeping, tenant: str, plain: bytes) -> str:
        """A name for content that tells only those who have the tenant's key whether two are the same."""

    def known_name(self, tenant: str, plain: bytes) -> str | None:
        """As `name`; None when the tenant has no key yet."""

    def forget(self) -> None:
        """Something was rolled back: keys that were made meanwhile may be gone."""


def as_stored(
    connection: Keeping, table: str, tenant: str, key: tuple[Any, ...], **texts: str | None
) -> list[str | None]:
    """These columns of a row as they are to be stored, in the order in which they are given."""
    seal = connection.seal
    if seal is None or not seal.writes:
        # Nothing in plain begins as what is sealed does.
        return [text.lstrip(TEXT) if text else text for text in texts.values()]
    return [
        None if text is None else seal_text(seal, connection, Spot(tenant, table, column, key), text)
        for column, text in texts.items()
    ]


def of_run(connection: Keeping, run_id: str, tenant: str | None = None) -> str:
    """Whose a run is: for rows that do not say it. It is looked up only where something is sealed."""
    if tenant is not None or connection.seal is None:
        return tenant or ""
    row = connection.execute("SELECT tenant FROM runs WHERE id=?", (run_id,)).fetchone()
    return "" if row is None else str(row[0])


def seal_text(seal: Seal, connection: Keeping, spot: Spot, text: str) -> str:
    """Text as it is stored at `spot`."""
    sealed = seal.seal(connection, spot, text.encode(errors="surrogatepass"))
    if spot.table == "messages":
        # One word to the index of words, and mostly one that is too long for it.
        return f"{TEXT}x{sealed.hex()}"
    return f"{TEXT}s{base64.b64encode(sealed).decode()}"


def is_sealed(value: object) -> bool:
    """Whether a value that is stored is sealed."""
    if isinstance(value, str):
        return value[:1] == TEXT
    return isinstance(value, bytes) and value[:4] == BYTES


def sealed_bytes(spot: Spot, text: str) -> bytes:
    """The bytes that sealed text stands for.

    Raises:
        MismatchError: it was cut off or changed.
    """
    try:
        return bytes.fromhex(text[2:]) if text[1:2] == "x" else base64.b64decode(text[2:], validate=True)
    except (ValueError, binascii.Error):
        raise broken(spot) from None


def opened(seal: Seal | None, table: str, data: Mapping[Any, Any], tenant: str | None = None) -> dict[str, Any]:
    """A row with everything in it that is sealed opened; `tenant` says whose it is where the row does not.

    Raises:
        MismatchError: something in it is not what was written there.
        StorageError: the key is not there.
    """
    found = dict(data)
    content = CONTENT[table]
    for column in content.texts:
        text = found.get(column)
        if text and text[0] == TEXT:
            owner = found["tenant"] if tenant is None else tenant
            spot = Spot(owner, table, column, tuple(found[name] for name in content.key))
            found[column] = open_text(seal, spot, text)
    return found


def open_text(seal: Seal | None, spot: Spot, text: str) -> str:
    """What a text that is stored says, sealed or not. See `opened`."""
    if not is_sealed(text):
        return text
    if seal is None:
        raise keyless()
    return seal.open(spot, sealed_bytes(spot, text)).decode(errors="surrogatepass")


def open_bytes(seal: Seal | None, spot: Spot, value: bytes) -> bytes:
    """What bytes that are stored say, sealed or not. See `opened`."""
    if not is_sealed(value):
        return value
    if seal is None:
        raise keyless()
    return seal.open(spot, value)


def broken(spot: Spot) -> MismatchError:
    """What is to be said of a sealed value that does not open."""
    return MismatchError(
        f"what is sealed at {spot} is not what was written there",
        fix="somebody has changed the database, or the disk is failing: restore it from a backup",
        run=spot.key[0] if spot.table in {"events", "runs"} else None,
    )


def keyless() -> StorageError:
    """What is to be said when something is sealed and there is no key at all."""
    return StorageError(
        "the store is sealed, and its master key is not given",
        fix="set encryption.key to where the master key is kept, as it was when this was written",
    )
