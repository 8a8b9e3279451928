"""Written by scripts/client from the OpenAPI document. What ``audit`` is given."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired, TypedDict


class AuditListQuery(TypedDict):
    """What `audit.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
    principal: NotRequired[str | None]
    act: NotRequired[str | None]
    target: NotRequired[str | None]
    outcome: NotRequired[Literal["done", "denied", "failed"] | None]
    since: NotRequired[datetime | str | None]
    until: NotRequired[datetime | str | None]


class AuditExportQuery(TypedDict):
    """What `audit.export` asks for."""

    after: NotRequired[int]
