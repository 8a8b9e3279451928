"""How large and how deep the values of a run may be."""

from __future__ import annotations

from typing import Any

from weft.core.canonical import dumps, loads
from weft.core.errors import InputError

MAX_VALUE_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100
"""Levels of lists and mappings in each other that a value may have."""


def check_value(payload: bytes, value: Any) -> None:
    """Refuse `value`, which is in `payload`, when it is too long or too deep.

    Raises:
        ValueError: it is.
    """
    if not _surely_fits(payload):
        _check_depth(value)


def _surely_fits(payload: bytes) -> bool:
    """Whether a value is not too deep, as can be told without walking through it.

    Raises:
        ValueError: it is too long.
    """
    if len(payload) > MAX_VALUE_BYTES:
        raise ValueError(f"it is longer than {MAX_VALUE_BYTES} bytes")
    return len(payload) <= MAX_DEPTH or payload.count(b"[") + payload.count(b"{") <= MAX_DEPTH


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            part
            for one in level
            if isinstance(one, (dict, list))
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def given(data: Any) -> bytes:
    """What a run is started with, as canonical JSON.

    Raises:
        InputError: it is not JSON, too long or too deep.
    """
    try:
        payload = dumps(data)
        if not _surely_fits(payload):
            _check_depth(loads(payload))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"what the run is to start with is not JSON: {error}",
            fix="correct the inputs; pass large files by their names",
        ) from error
    return payload
