"""Arrays in the server's own binary form.

psycopg writes a list as text, element by element through several layers: for what runs write that cost more than everything else
on the way to the server. The form is that of ``array_send`` in PostgreSQL (src/backend/utils/adt/arrayfuncs.c): dimensions, whether
there are nulls, the type of the elements, the length, the first index, and then each element after its length in bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i")
_BIGINT = struct.Struct("!iq")
_NULL = _LENGTH.pack(-1)
_BIGINT_BYTES = 8


class Texts(bytes):
    """A ``text[]``."""

    __slots__ = ()
    ELEMENT, ARRAY = 25, 1009

    @classmethod
    def of(cls, values: Iterable[str | None]) -> Texts:
        """The array of these.

        Raises:
            psycopg.DataError: one of them holds what the server does not take in texts.
        """
        try:
            return cls(_of_bytes([None if value is None else value.encode() for value in values], cls.ELEMENT))
        except UnicodeEncodeError as error:
            raise psycopg.DataError(str(error)) from error


class Blobs(bytes):
    """A ``bytea[]``."""

    __slots__ = ()
    ELEMENT, ARRAY = 17, 1001

    @classmethod
    def of(cls, values: Iterable[bytes | None]) -> Blobs:
        """The array of these."""
        return cls(_of_bytes(list(values), cls.ELEMENT))


class Bigints(bytes):
    """A ``bigint[]``."""

    __slots__ = ()
    ELEMENT, ARRAY = 20, 1016

    @classmethod
    def of(cls, values: Iterable[int | None]) -> Bigints:
        """The array of these.

        Raises:
            psycopg.DataError: one of them takes more than 64 bits.
        """
        given = list(values)
        try:
            parts = [_NULL if value is None else _BIGINT.pack(_BIGINT_BYTES, value) for value in given]
        except struct.error as error:
            raise psycopg.DataError(str(error)) from error
        return cls(_head(cls.ELEMENT, len(given)) + b"".join(parts))


class _Ready(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return bytes(obj)


class _Texts(_Ready):
    oid = Texts.ARRAY


class _Blobs(_Ready):
    oid = Blobs.ARRAY


class _Bigints(_Ready):
    oid = Bigints.ARRAY


def taken_by(connection: psycopg.Connection[object]) -> None:
    """Have arrays of these classes taken as they are."""
    for kind, dumper in ((Texts, _Texts), (Blobs, _Blobs), (Bigints, _Bigints)):
        connection.adapters.register_dumper(kind, dumper)


def _head(element: int, length: int) -> bytes:
    # The flag says that there may be nulls, of which the server makes sure itself.
    return _HEAD.pack(1, 1, element, length, 1)


def _of_bytes(values: list[bytes | None], element: int) -> bytes:
    parts = [_head(element, len(values))]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (_LENGTH.pack(len(value)), value)
    return b"".join(parts)
