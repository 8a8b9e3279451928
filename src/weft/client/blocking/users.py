"""Written by scripts/client from the OpenAPI document. Calls of ``users``."""

from __future__ import annotations

import builtins
from typing import Unpack

from weft.client import operations
from weft.client.given.users import ChangedUser, NewUser
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.users import UserView


class Users:
    """The operations of ``users``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self) -> builtins.list[UserView]:
        """The users of the caller's tenant."""
        return self._line.send(Call(answer=builtins.list[UserView], operation=operations.USERS_LIST))

    def create(self, **body: Unpack[NewUser]) -> UserView:
        """Make a user."""
        return self._line.send(Call(answer=UserView, operation=operations.USERS_CREATE, body=dict(body)))

    def change(self, user_id: str, /, **body: Unpack[ChangedUser]) -> UserView:
        """Give a user another name or role, or disable them: their keys count no more from that moment."""
        return self._line.send(
            Call(answer=UserView, operation=operations.USERS_CHANGE, path={"user_id": user_id}, body=dict(body))
        )
