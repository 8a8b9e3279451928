"""Serving over a pipe: it lasts as long as the program that started it keeps the pipe open."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from weft.app.auditing.configured import note_settings
from weft.app.hosting import Host
from weft.app.memory import settle
from weft.app.service import ModelChoice
from weft.cli import logs
from weft.core.errors import InputError
from weft.core.setting_kinds import absolute
from weft.core.settings import Settings, load_settings
from weft.server.mcp.stdio import serve as speak

_DRAIN_S = 1.0
"""Clients give a process about two seconds to end; runs that take longer are resumed by the next one."""


def serve(*, folders: Sequence[Path], offline: bool) -> int:
    """Serve until the pipe is closed, or a signal comes."""
    settings = _with(load_settings(), folders)
    logs.start(settings.log.level, settings.log.format)
    asyncio.run(_serve(settings, ModelChoice(offline=True) if offline else None))
    return 0


def _with(settings: Settings, folders: Sequence[Path]) -> Settings:
    server = settings.server
    server = server.model_copy(
        update={
            "folders": tuple(absolute(folder) for folder in folders) or server.folders,
            "drain_s": min(server.drain_s, _DRAIN_S),
        }
    )
    for folder in server.folders:
        if not folder.is_dir():
            raise InputError(f"there is no folder {str(folder)!r}", fix="name a folder that holds workflows")
    return settings.model_copy(update={"server": server})


async def _serve(settings: Settings, choice: ModelChoice | None) -> None:
    host = Host(settings, choice=choice)
    loop = asyncio.get_running_loop()
    note_settings(settings, host.journal, host.trail, "mcp")
    await host.open()
    speaking = asyncio.ensure_future(speak(host))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, speaking.cancel)
    settle()
    try:
        # Whatever ends it: calls that are cut off by it are not cancelled, their runs are taken up again.
        await asyncio.wait([speaking])
    finally:
        await host.drain()
        await host.close()
    if not speaking.cancelled() and (error := speaking.exception()) is not None:
        raise error
