"""Written by scripts/client from the OpenAPI document. Calls of ``signins``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.signins import SigninsListQuery
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.signins import SignInView


class Signins:
    """The operations of ``signins``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self, **query: Unpack[SigninsListQuery]) -> builtins.list[SignInView]:
        """The sessions of browsers that count, the newest first: your own, or with `users:read` those of others."""
        return self._line.send(
            Call(answer=builtins.list[SignInView], operation=operations.SIGNINS_LIST, query=dict(query))
        )

    def end(self, signin_id: str, /) -> None:
        """End a session of your own, or with `users:write` anybody's; what is being read in its name ends too."""
        self._line.send(Call(answer=type(None), operation=operations.SIGNINS_END, path={"signin_id": signin_id}))
