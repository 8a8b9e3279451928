"""Results as JSON, and no larger than they may be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from weft.core import canonical
from weft.core.errors import ToolError

_DEPTH = 64
_AS_TEXT = (PurePath, UUID, Decimal)
_MARKER_ROOM = 120


def json_safe(value: Any) -> Any:
    """`value` as plain JSON data.

    Pydantic models, dataclasses, enums, tuples, dates, paths, UUIDs and decimals become what JSON has for them.

    Raises:
        ToolError: something in it has no honest form in JSON: NaN, bytes, a set, a key that is no text, a cycle.
    """
    return _safe(value, "", 0)


def _safe(value: Any, pointer: str, depth: int) -> Any:
    if depth > _DEPTH:
        raise ToolError(f"the result is nested deeper than {_DEPTH}", fix="return flatter data without cycles")
    if isinstance(value, Enum):
        return _safe(value.value, pointer, depth + 1)
    if value is None or isinstance(value, bool | str | int | float):
        return _scalar(value, pointer)
    if isinstance(value, list | tuple):
        return [_safe(item, f"{pointer}/{place}", depth + 1) for place, item in enumerate(value)]
    if isinstance(value, Mapping):
        return _object(value, pointer, depth)
    return _converted(value, pointer, depth)


def _converted(value: Any, pointer: str, depth: int) -> Any:
    if isinstance(value, BaseModel):
        return _safe(value.model_dump(), pointer, depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _safe(fields, pointer, depth + 1)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, _AS_TEXT):
        return str(value)
    raise _no_form(type(value).__name__, pointer)


def _scalar(value: Any, pointer: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise _no_form(str(value), pointer)
    # Python refuses to write integers of more than 4,300 digits.
    if isinstance(value, int) and value.bit_length() > 8192:
        raise _no_form("an integer of more than 8,192 bits", pointer)
    plain = next((kind for kind in (str, float, int) if isinstance(value, kind)), None)
    return value if plain is None or isinstance(value, bool) else plain(value)


def _object(value: Mapping[Any, Any], pointer: str, depth: int) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise _no_form(f"a key of type {type(key).__name__}", pointer)
    return {str(key): _safe(item, f"{pointer}/{key}", depth + 1) for key, item in value.items()}


def _no_form(what: str, pointer: str) -> ToolError:
    where = f" at {pointer[:200]}" if pointer else ""
    return ToolError(f"the result holds {what}{where}, which JSON has no form for", fix="return plain JSON values")


def limited(value: Any, max_bytes: int) -> Any:
    """`value`, or as much of it as fits into `max_bytes` of JSON, with a text in it that says so.

    A text is cut at its end; an object at the end of its longest text, when that is enough; anything else becomes an
    object of ``truncated``, ``bytes`` and ``text``, the beginning of its JSON.
    """
    size = len(canonical.dumps(value))
    if size <= max_bytes:
        return value
    if isinstance(value, str):
        return _cut(value, max_bytes)
    if isinstance(value, dict):
        texts = {key: len(canonical.dumps(item)) for key, item in value.items() if isinstance(item, str)}
        longest = max(texts, key=lambda key: texts[key], default=None)
        if longest is not None:
            room = max_bytes - (size - texts[longest])
            if room > 2 * _MARKER_ROOM:
                return value | {longest: _cut(value[longest], room)}
    text = canonical.dumps(value).decode()
    return {"truncated": True, "bytes": size, "text": _cut(text, max(max_bytes - _MARKER_ROOM, _MARKER_ROOM))}


def _cut(text: str, max_bytes: int) -> str:
    """The beginning of `text` that fits, with its marker, into `max_bytes` of JSON."""
    room = max(max_bytes - _MARKER_ROOM, 0)
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        if len(canonical.dumps(text[:middle])) <= room:
            low = middle
        else:
            high = middle - 1
    return f"{text[:low]}\n[cut here: the first {low} of {len(text)} characters]"
