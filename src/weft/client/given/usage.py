"""Written by scripts/client from the OpenAPI document. What ``usage`` is given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NotRequired, TypedDict


class UsageSumQuery(TypedDict):
    """What `usage.sum` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
    since: NotRequired[datetime | str | None]
    """The last 30 days by default."""
    until: NotRequired[datetime | str | None]
    by: NotRequired[Sequence[Literal["day", "workflow", "agent", "model"]]]
    workflow: NotRequired[str | None]
    """Only runs of this one."""
