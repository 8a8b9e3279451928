"""Servers that fail again and again are left alone for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weft.core.errors import ToolError
from weft.tools.mcp.server import Server

WAITS = (0.2, 1.0)
"""Seconds before the second and the third attempt to reach a server."""

_FAILURES = 5
_REST_S = 15.0
_LONGEST_S = 300.0


@dataclass(slots=True)
class Breaker:
    """Counts the failures of one server in a row. After `_FAILURES` it refuses until a rest is over, then lets one try."""

    now: Callable[[], float]
    failures: int = 0
    until: float = 0.0

    def admit(self, server: Server) -> None:
        """Let an attempt begin, or not.

        Raises:
            ToolError: the server rests.
        """
        left = self.until - self.now()
        if left > 0:
            raise ToolError(
                f"{server.shown} failed {self.failures} times in a row and is left alone for {left:.0f} s",
                fix="see what it says with `weft mcp test`; it is tried again afterwards",
            )
        if self.failures >= _FAILURES:
            # One attempt; whoever comes beside it waits for what becomes of it.
            self.until = self.now() + _REST_S

    def failed(self) -> None:
        """An attempt failed."""
        self.failures += 1
        if self.failures >= _FAILURES:
            over = min(self.failures - _FAILURES, 8)
            self.until = self.now() + min(_REST_S * 2**over, _LONGEST_S)

    def worked(self) -> None:
        """An attempt came to its end."""
        self.failures = 0
        self.until = 0.0
