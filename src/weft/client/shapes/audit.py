"""Written by scripts/client from the OpenAPI document. What ``audit`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class AuditEntry(Shape):
    """One act."""

    seq: int
    at: str
    principal: str
    act: str
    target: str
    outcome: str
    data: dict[str, Any]
    hash: str
    """Of the entry with what stands before it: see the page about the audit log."""


class AuditPage(Shape):
    """Some entries, the newest first."""

    items: list[AuditEntry]
    next: str | None = None
    """The cursor of the next page."""
