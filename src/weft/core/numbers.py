"""Numbers that came through a format that knows no whole ones."""

from __future__ import annotations

from typing import Any

_EXACT = 2**53
"""Up to here every whole number is exact as a double."""


def whole(value: Any) -> Any:
    """JSON in which each number that is whole is one: ``2.0`` was ``2`` before it went through a format of doubles."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return value
