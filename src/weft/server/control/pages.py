"""Pages of lists: how many, and where the next one goes on. What a cursor says is nobody's business but ours."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from weft.core.canonical import dumps
from weft.core.errors import InputError
from weft.server.reading import read_json

Item = TypeVar("Item")
MOST = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Limit = Annotated[int, Field(ge=1, le=MOST, description="How many of them; the next page has the rest.")]
Cursor = Annotated[
    str | None, Field(max_length=600, description="Where to go on: `next` of the page before. Its form may change.")
]
Time = Annotated[datetime | None, Field(examples=["2026-11-29T08:00:00Z"])]


class Page(BaseModel, Generic[Item]):
    """One page of a list. `next` is null at the end."""

    items: list[Item]
    next: str | None = Field(default=None, description="The cursor of the next page.")


class Paging(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 50
    cursor: Cursor = None


def cursor(*place: str | int) -> str:
    """A place in a list, as clients are given it."""
    return base64.urlsafe_b64encode(dumps(list(place))).rstrip(b"=").decode()


def place(text: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The place that a cursor says, whose parts are of these kinds; None at the beginning.

    Raises:
        InputError: it is no cursor of this list.
    """
    if text is None:
        return None
    try:
        found = read_json(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        found = None
    fits = isinstance(found, list) and len(found) == len(kinds)
    if not fits or any(type(part) is not kind for part, kind in zip(found, kinds, strict=True)):
        raise InputError("the cursor is none of this list", fix="take `next` of the page before, or leave it out")
    if any(isinstance(part, int) and abs(part) >= 2**62 for part in found):
        raise InputError("the cursor is none of this list", fix="take `next` of the page before, or leave it out")
    return tuple(found)


def cut(items: Sequence[Item], paging: Paging) -> tuple[list[Item], str | None]:
    """The page of a list that is there as a whole, and the cursor of the next one."""
    begun = place(paging.cursor, int)
    start = max(0, begun[0]) if begun else 0
    shown = list(items[start : start + paging.limit])
    more = start + len(shown) < len(items)
    return shown, cursor(start + len(shown)) if more else None


def micros(time: datetime | None) -> int | None:
    """A time from outside as journal time; one without a zone is in UTC."""
    if time is None:
        return None
    known = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return (known - _EPOCH) // _MICROSECOND
