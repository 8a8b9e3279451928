"""Canonical JSON and hashing: one text for one value, whatever the order its keys came in.

Canonical here means: UTF-8, keys sorted by code point, no white space, no NaN or infinities. Lone surrogates, which
UTF-8 cannot carry, become ``?`` (see `well_formed`); values are always used as decoded from this encoding, so first run and replay agree.
"""

from __future__ import annotations

import hashlib
import json
from json import encoder
from typing import Any

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _quick() -> Any:
    """The encoder's own C part, made once instead of for each value, without its search for cycles; where there is none, the whole encoder."""
    make = getattr(encoder, "c_make_encoder", None)
    own = _ENCODER
    if make is None:
        return lambda value, _: (own.encode(value),)
    separators = (own.key_separator, own.item_separator)
    return make(
        None, own.default, encoder.encode_basestring, None, *separators, own.sort_keys, own.skipkeys, own.allow_nan
    )


_QUICK = _quick()
_DECODER = json.JSONDecoder()
_SCAN = _DECODER.scan_once  # type: ignore[attr-defined]  # the stubs do not have it


def dumps(value: Any) -> bytes:
    """`value` as canonical JSON.

    Raises:
        ValueError: `value` holds a NaN, an infinity or a cycle.
        TypeError: `value` holds something that JSON has no form for.
    """
    try:
        text = "".join(_QUICK(value, 0))
    except RecursionError:
        # Too deep, or a cycle: who searches for cycles says which.
        text = _ENCODER.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return well_formed(text).encode()


def well_formed(text: str) -> str:
    """`text` as UTF-8 can carry it: two surrogates that are a pair become the character that they mean, lone ones ``?``."""
    if text.isascii():
        return text
    paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return paired.encode(errors="replace").decode()


def as_written(value: Any) -> bytes:
    """`value` as JSON whose keys keep their order, for what people or models read in that order.

    Raises:
        ValueError: `value` holds a NaN, an infinity or a cycle.
        TypeError: `value` holds something that JSON has no form for.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return well_formed(text).encode()


def loads(data: bytes) -> Any:
    """The value that `dumps` wrote."""
    text = data.decode()
    # What `dumps` wrote has no white space around it, for which the decoder's own door looks with two regular expressions.
    try:
        value, end = _SCAN(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else _DECODER.decode(text)


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
