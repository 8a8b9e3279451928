"""The keys of a sealed store: one master key, which is kept elsewhere, and data keys for each tenant, which it wraps.

A data key is 32 random bytes. What seals a value is derived from it and a random salt that each process draws for itself, and draws
anew after 16 million values: so the random nonces of AES-256-GCM stay far below where two of them could meet, however many processes
write for however long.

    sealed value = magic (4) ‖ version of the data key (4) ‖ salt (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from weft.core.errors import InputError, StorageError
from weft.store.data_keys import NAMES, DataKeys, KeyRow, insert, newest, row_of
from weft.store.sealing import BYTES, Keeping, ShreddedError, Spot, broken

FRESH_S = 5.0
"""After so long a process looks whether a tenant has a newer data key, or one less."""
_PER_SALT = 1 << 24
_MOST = 4_096
"""Keys, and ciphers of one key, that are remembered."""
_HEAD = struct.Struct(">4sI16s12s")
_DAY = 86_400_000_000


class MasterKey:
    """The key that wraps data keys. Its `id` follows from it, and says nothing about it."""

    def __init__(self, secret: bytes) -> None:
        self.id = hashlib.sha256(b"weft master key" + secret).hexdigest()[:16]
        self._cipher = AESGCM(secret)

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"

    @classmethod
    def read(cls, text: str) -> MasterKey:
        """The key that a text holds: 32 bytes as Base64.

        Raises:
            InputError: it holds none.
        """
        try:
            secret = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
        except (ValueError, binascii.Error):
            secret = b""
        if len(secret) != 32:
            raise InputError(
                "a master key is 32 bytes, written as Base64, and this is none", fix="`weft encryption key` makes one"
            ) from None
        return cls(secret)

    @staticmethod
    def make() -> str:
        """A new one, as text."""
        return base64.b64encode(os.urandom(32)).decode()

    def wrap(self, tenant: str, version: int, secret: bytes) -> bytes:
        """A data key as it is stored."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, secret, _wrapping(tenant, version))

    def unwrap(self, row: KeyRow) -> bytes:
        """The data key in a row.

        Raises:
            MismatchError: it is not what was stored for this tenant and version.
        """
        assert row.wrapped is not None
        try:
            return self._cipher.decrypt(row.wrapped[:12], row.wrapped[12:], _wrapping(row.tenant, row.version))
        except (InvalidTag, ValueError):
            raise broken(Spot(row.tenant, "data_keys", "wrapped", (row.tenant, row.version))) from None


def _wrapping(tenant: str, version: int) -> bytes:
    return f"weft data key {len(tenant)}:{tenant}{version}".encode(errors="surrogatepass")


@dataclass(slots=True)
class _Key:
    """One data key; `cipher` seals with it, `head` is what stands before what that has sealed; `ciphers` open."""

    version: int
    secret: bytes = field(repr=False)
    until: float = 0.0
    head: bytes = b""
    cipher: AESGCM | None = None
    left: int = 0
    ciphers: dict[bytes, AESGCM] = field(default_factory=dict)

    def sealing(self) -> AESGCM:
        """What the next value is sealed with."""
        if self.cipher is None or self.left <= 0:
            salt, self.left = os.urandom(16), _PER_SALT
            self.cipher = self._derived(salt)
            self.head = BYTES + self.version.to_bytes(4) + salt
        self.left -= 1
        return self.cipher

    def opening(self, salt: bytes) -> AESGCM:
        """What opens a value that was sealed with this salt."""
        cipher = self.ciphers.get(salt)
        if cipher is None:
            if len(self.ciphers) >= _MOST:
                self.ciphers.clear()
            cipher = self.ciphers[salt] = self._derived(salt)
        return cipher

    def _derived(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self.secret, b"weft seal" + salt, "sha256"))


class Keyring:
    """Implements `weft.store.sealing.Seal` with AES-256-GCM and the keys in the table ``data_keys``.

    What was wrapped by one of the `older` master keys opens, too. A data key that is older than `days` is followed by a new one; 0
    leaves that to whoever rotates. With `writes` off it only opens.
    """

    def __init__(
        self,
        master: MasterKey,
        older: Sequence[MasterKey] = (),
        *,
        writes: bool = True,
        days: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self.writes = writes
        self.master = master
        self._masters = {one.id: one for one in (*older, master)}
        self._days = days
        self._monotonic = monotonic
        self._now = now
        self._rows: DataKeys | None = None
        self._current: dict[str, _Key] = {}
        self._keys: dict[tuple[str, int], _Key] = {}

    def attach(self, rows: DataKeys) -> None:
        """Use the data keys of this store.

        Raises:
            StorageError: some are wrapped by a master key that is not here.
            MismatchError: a data key is not what was stored.
        """
        self._rows = rows
        for row in rows.samples():
            self._master_of(row).unwrap(row)

    def seal(self, connection: Keeping, spot: Spot, plain: bytes) -> bytes:
        """See `weft.store.sealing.Seal`."""
        key = self._current.get(spot.tenant)
        if key is None or self._monotonic() >= key.until:
            key = self._newest(connection, spot.tenant)
        cipher, nonce = key.sealing(), os.urandom(12)
        return key.head + nonce + cipher.encrypt(nonce, plain, spot.bound())

    def open(self, spot: Spot, sealed: bytes) -> bytes:
        """See `weft.store.sealing.Seal`."""
        if len(sealed) < _HEAD.size:
            raise broken(spot)
        _, version, salt, nonce = _HEAD.unpack_from(sealed)
        key = self._known(spot.tenant, version)
        if key is None:
            raise broken(spot)
        try:
            return key.opening(salt).decrypt(nonce, sealed[_HEAD.size :], spot.bound())
        except (InvalidTag, ValueError):
            raise broken(spot) from None

    def name(self, connection: Keeping, tenant: str, plain: bytes) -> str:
        """See `weft.store.sealing.Seal`."""
        key = self._keys.get((tenant, NAMES))
        if key is None or self._monotonic() >= key.until:
            key = self._remember(self._made(connection, tenant, NAMES))
        return _name(key, plain)

    def known_name(self, tenant: str, plain: bytes) -> str | None:
        """See `weft.store.sealing.Seal`."""
        key = self._known(tenant, NAMES)
        return None if key is None else _name(key, plain)

    def forget(self) -> None:
        """See `weft.store.sealing.Seal`."""
        self._current.clear()
        self._keys.clear()

    def rewrapped(self, row: KeyRow) -> bytes:
        """The data key in a row, wrapped by the master key of now."""
        return self.master.wrap(row.tenant, row.version, self._master_of(row).unwrap(row))

    def another(self, connection: Keeping, tenant: str) -> int:
        """Make a new data key for a tenant; the number of its version."""
        row = newest(connection, tenant)
        made = self._made(connection, tenant, 1 if row is None else row.version + 1)
        self._current.pop(tenant, None)
        return made.version

    def version(self, connection: Keeping, tenant: str) -> int:
        """The version of the data key with which a tenant's values are sealed now."""
        return self._newest(connection, tenant).version

    def _newest(self, connection: Keeping, tenant: str) -> _Key:
        row = newest(connection, tenant)
        if (
            row is None
            or row.ended_at is not None
            or (self._days and row.created_at + self._days * _DAY <= self._now())
        ):
            row = self._made(connection, tenant, 1 if row is None else row.version + 1)
        key = self._remember(row)
        if len(self._current) >= _MOST:
            self._current.clear()
        self._current[tenant] = key
        return key

    def _made(self, connection: Keeping, tenant: str, version: int) -> KeyRow:
        """The data key of this version, which is made unless another process was quicker."""
        row = row_of(connection, tenant, version)
        if row is None:
            wrapped = self.master.wrap(tenant, version, os.urandom(32))
            insert(connection, KeyRow(tenant, version, wrapped, self.master.id, self._now(), None))
            row = row_of(connection, tenant, version)
        assert row is not None
        return row

    def _known(self, tenant: str, version: int) -> _Key | None:
        """The data key of a version, as it was a moment ago; None when there never was one."""
        key = self._keys.get((tenant, version))
        if key is not None and self._monotonic() < key.until:
            return key
        assert self._rows is not None, "a journal attaches it"
        row = self._rows.get(tenant, version)
        if row is None and key is not None:
            # Made in the transaction that is open.
            return key
        return None if row is None else self._remember(row)

    def _remember(self, row: KeyRow) -> _Key:
        where = (row.tenant, row.version)
        if row.wrapped is None:
            self._keys.pop(where, None)
            raise ShreddedError(
                f"what is sealed with data key {row.version} of tenant {row.tenant!r} cannot be read any more: it was shredded",
                fix="nothing brings it back; a backup from before then holds the key",
            )
        key = self._keys.get(where)
        if key is None:
            if len(self._keys) >= _MOST:
                self._keys.clear()
            key = self._keys[where] = _Key(row.version, self._master_of(row).unwrap(row))
        key.until = self._monotonic() + FRESH_S
        return key

    def _master_of(self, row: KeyRow) -> MasterKey:
        master = self._masters.get(row.master)
        if master is None:
            raise StorageError(
                f"the data keys of this store are wrapped by the master key {row.master}, and the one given is {self.master.id}",
                fix="set encryption.key to that one, or name it under encryption.older",
            )
        return master


def version_of(sealed: bytes) -> int:
    """The version of the data key with which something is sealed; 0 when that cannot be seen."""
    return int(_HEAD.unpack_from(sealed)[1]) if len(sealed) >= _HEAD.size else 0


def _name(key: _Key, plain: bytes) -> str:
    return "k" + hmac.digest(key.secret, plain, "sha256").hex()
