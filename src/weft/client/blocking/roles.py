"""Written by scripts/client from the OpenAPI document. Calls of ``roles``."""

from __future__ import annotations

import builtins

from weft.client import operations
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.roles import RoleView


class Roles:
    """The operations of ``roles``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self) -> builtins.list[RoleView]:
        """Every role, and what it may do."""
        return self._line.send(Call(answer=builtins.list[RoleView], operation=operations.ROLES_LIST))
