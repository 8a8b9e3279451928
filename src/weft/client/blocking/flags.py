"""Written by scripts/client from the OpenAPI document. Calls of ``flags``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.flags import NewValue
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.flags import FlagView


class Flags:
    """The operations of ``flags``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self) -> builtins.list[FlagView]:
        """Every flag."""
        return self._line.send(Call(answer=builtins.list[FlagView], operation=operations.FLAGS_LIST))

    def set(self, name: str, /, **body: Unpack[NewValue]) -> FlagView:
        """Have a flag say something else, at once and without a restart."""
        return self._line.send(
            Call(answer=FlagView, operation=operations.FLAGS_SET, path={"name": name}, body=dict(body))
        )
