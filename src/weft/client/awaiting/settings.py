"""Written by scripts/client from the OpenAPI document. Calls of ``settings``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.settings import SettingsListQuery
from weft.client.items import AsyncItems
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.shapes.settings import SettingPage, SettingView


class AsyncSettings:
    """The operations of ``settings``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    def list(self, **query: Unpack[SettingsListQuery]) -> AsyncItems[SettingView, SettingPage]:
        """The settings of the service."""
        return AsyncItems(
            self._line, Call(answer=SettingPage, operation=operations.SETTINGS_LIST, query=dict(query)), "cursor"
        )
