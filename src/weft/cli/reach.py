"""How commands reach the service that answers them: the one place that knows who that is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from weft.app.local import LocalService
from weft.app.service import Service

Answer = TypeVar("Answer")


def ask(
    question: Callable[[Service], Awaitable[Answer]], *, durability: str | None = None, streaming: bool = False
) -> Answer:
    """What `question` makes of the service, which is closed afterwards."""

    async def whole() -> Answer:
        service = LocalService(durability=durability, streaming=streaming)
        try:
            return await question(service)
        finally:
            await service.close()

    return asyncio.run(whole())
