"""Written by scripts/client from the OpenAPI document. Calls of ``tenants``."""

from __future__ import annotations

import builtins

from weft.client import operations
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.tenants import TenantView


class Tenants:
    """The operations of ``tenants``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self) -> builtins.list[TenantView]:
        """The caller's tenant."""
        return self._line.send(Call(answer=builtins.list[TenantView], operation=operations.TENANTS_LIST))
