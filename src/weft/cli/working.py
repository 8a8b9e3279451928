"""The resident process: works until a signal tells it to stop, and says what it does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from weft.app.memory import settle
from weft.app.service import Service
from weft.cli import logs, reach
from weft.cli.terminal import clean, say_json, tell
from weft.core.clock import SystemClock, iso
from weft.core.settings import load_settings

_SYNCED = ("added", "changed", "unchanged", "removed")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def work(path: Path | None, *, once: bool, concurrency: int, drain: float, as_json: bool) -> int:
    """Work until a signal comes; a second one ends the process at once, which the journal survives."""
    settings = load_settings()
    logs.start(settings.log.level, settings.log.format)

    def report(what: str, about: Mapping[str, Any]) -> None:
        at = iso(SystemClock().micros())
        if as_json:
            with suppress(BrokenPipeError):  # whoever has read the lines has left; the work goes on
                say_json({"at": at, "event": what, **about}, indent=None)
                sys.stdout.flush()
        else:
            tell(f"{at}  {what}  " + "  ".join(f"{key}={clean(str(value))}" for key, value in about.items()))

    async def whole(service: Service) -> None:
        settle()
        loop = asyncio.get_running_loop()
        worker = service.worker(concurrency=concurrency, report=report)

        def stop(number: int) -> None:
            worker.stop()
            loop.remove_signal_handler(number)

        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop, number)
        if path is not None:
            synced = await service.sync_automations(path)
            names = {what: [one.name for one in getattr(synced, what)] for what in _SYNCED}
            report("synced", {what: " ".join(found) for what, found in names.items() if found})
        report("ready", {"concurrency": concurrency})
        await worker.run(once=once, drain_s=drain)
        report("stopped", {})

    reach.ask(whole)
    return 0
