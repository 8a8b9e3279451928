"""Written by scripts/client from the OpenAPI document. Calls of ``live``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Unpack

from weft.client import operations
from weft.client.given.live import LiveStreamQuery
from weft.client.line import AsyncLine
from weft.client.operation import Call
from weft.client.streaming import Envelope


class AsyncLive:
    """The operations of ``live``."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    def stream(self, *, last_event_id: str = "", **query: Unpack[LiveStreamQuery]) -> AsyncGenerator[Envelope]:
        """What happens from now on, as Server-Sent Events. After a gap, which `lagged` tells, look at everything anew."""
        return self._line.stream(
            Call(answer=Envelope, operation=operations.LIVE_STREAM, query=dict(query)), ends=False, last=last_event_id
        )
