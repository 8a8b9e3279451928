"""Written by scripts/client from the OpenAPI document. Calls of ``health``."""

from __future__ import annotations

from typing import Any

from weft.client import operations
from weft.client.line import Line
from weft.client.operation import Call


class Health:
    """The operations of ``health``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def live(self) -> dict[str, str]:
        """The process answers."""
        return self._line.send(Call(answer=dict[str, str], operation=operations.HEALTH_LIVE))

    def ready(self) -> dict[str, str]:
        """New work is taken."""
        return self._line.send(Call(answer=dict[str, str], operation=operations.HEALTH_READY))

    def deep(self) -> dict[str, Any]:
        """The journal can be written and read, the folders hold what they should, and certificates are good for a while."""
        return self._line.send(Call(answer=dict[str, Any], operation=operations.HEALTH_DEEP))
