"""Written by scripts/client from the OpenAPI document. Calls of ``audit``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.audit import AuditExportQuery, AuditListQuery
from weft.client.items import Items
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.audit import AuditEntry, AuditPage


class Audit:
    """The operations of ``audit``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self, **query: Unpack[AuditListQuery]) -> Items[AuditEntry, AuditPage]:
        """Who did what, the latest first."""
        return Items(self._line, Call(answer=AuditPage, operation=operations.AUDIT_LIST, query=dict(query)), "cursor")

    def export(self, **query: Unpack[AuditExportQuery]) -> bytes:
        """The whole log as JSON Lines, the oldest entry first, with its signed head as the last line. The export is itself an entry."""
        return self._line.download(Call(answer=bytes, operation=operations.AUDIT_EXPORT, query=dict(query)))
