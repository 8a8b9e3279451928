"""How commands reach the service that answers them: the one place that knows who that is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from weft.app.noted import NotedService
from weft.app.service import Service
from weft.cli.commands import WORK
from weft.cli.server import NAMED, Named
from weft.core.errors import InputError, WeftError
from weft.core.settings import load_settings

Answer = TypeVar("Answer")


def ask(
    question: Callable[[Service], Awaitable[Answer]], *, durability: str | None = None, streaming: bool = False
) -> Answer:
    """What `question` makes of the service, which is closed afterwards."""

    async def whole() -> Answer:
        service = _service(durability, streaming=streaming)
        try:
            return await question(service)
        finally:
            await service.close()

    return asyncio.run(whole())


def elsewhere() -> bool:
    """Whether a running service answers, and not this process."""
    return _remote() is not None


def _service(durability: str | None, *, streaming: bool) -> Service:
    remote = _remote()
    if remote is None:
        return NotedService(durability=durability, streaming=streaming)
    if durability is not None:
        raise InputError("a service says itself how it keeps its journal", fix="leave --durability out")
    url, token, tls = remote
    service: Service = WORK["remote"].load()(url, token, tls)
    return service


def _remote() -> tuple[str, str | None, dict[str, Path | None]] | None:
    """The address of the service, the token for it, and the files for TLS, unless this process answers."""
    named = NAMED.get(Named())
    if named.here:
        return None
    try:
        settings = load_settings()
    except WeftError:
        if named.url is None:
            return None  # the command itself says what is wrong with the settings
        raise
    url = named.url or settings.server_url
    token = settings.token
    tls = {"ca": settings.tls_ca, "cert": settings.tls_cert, "key": settings.tls_key}
    return None if url is None else (url, None if token is None else token.get_secret_value(), tls)
