"""Canonical JSON and hashing: one text for one value, whatever the order its keys came in.

Canonical here means: UTF-8, keys sorted by code point, no white space, no NaN or infinities. Lone surrogates, which
UTF-8 cannot carry, become ``?``; values are always used as decoded from this encoding, so first run and replay agree.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_DECODE = json.JSONDecoder().decode


def dumps(value: Any) -> bytes:
    """`value` as canonical JSON.

    Raises:
        ValueError: `value` holds a NaN, an infinity or a cycle.
        TypeError: `value` holds something that JSON has no form for.
    """
    text: str = _ENCODE(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def as_written(value: Any) -> bytes:
    """`value` as JSON whose keys keep their order, for what people or models read in that order.

    Raises:
        ValueError: `value` holds a NaN, an infinity or a cycle.
        TypeError: `value` holds something that JSON has no form for.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace")


def loads(data: bytes) -> Any:
    """The value that `dumps` wrote."""
    return _DECODE(data.decode())


def strict_loads(text: str | bytes) -> Any:
    """The value of JSON from outside, without the NaN and infinities that Python would read beyond the standard.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def sha256(data: bytes) -> str:
    """Hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of `value`."""
    return sha256(dumps(value))
