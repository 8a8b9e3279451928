"""Driving a run from a terminal: it is watched while it goes, and can be interrupted without harm."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from weft.app.memory import settle
from weft.app.service import Service
from weft.app.view import RunView
from weft.bus.envelope import DELTA, LAGGED, Envelope
from weft.cli.progress import Display
from weft.core.event import Event
from weft.engine.local import RunResult

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drove:
    """How a drive ended: with a result, or with the signal that interrupted it."""

    run_id: str
    view: RunView
    result: RunResult | None = None
    interrupted_by: int | None = None


class Interrupts:
    """While entered, the first signal to stop is for the drive, which leaves the run resumable; the second ends the process.

    The second one may come at any moment: the journal survives that, as it survives any death.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._task: asyncio.Task[Any] | None = None
        self._installed: list[int] = []

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            # Ignored from the start, as under nohup or in the background of a script: it stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._hear, number)
                self._installed.append(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in self._installed:
            loop.remove_signal_handler(number)

    def guard(self, task: asyncio.Task[Any]) -> None:
        """Cancel `task` when a signal comes, or now if one has come already."""
        self._task = task
        if self.signal is not None:
            task.cancel()

    def _hear(self, number: int) -> None:
        if self.signal is not None:
            _show_cursor()
            os._exit(128 + number)
        self.signal = number
        if self._task is not None:
            self._task.cancel()


async def drive(
    service: Service, run_id: str, display: Display, interrupts: Interrupts, *, reopen: bool = False
) -> Drove:
    """Make a run go until it ends, waits or is interrupted, and show it on `display` meanwhile.

    Raises:
        WeftError: it cannot be driven here.
    """
    settle()
    envelopes = service.live(run_id)
    view = RunView(service.events(run_id))
    task = asyncio.ensure_future(service.drive(run_id, reopen=reopen))
    interrupts.guard(task)
    # What a tool prints is not the result of the run.
    with contextlib.redirect_stdout(sys.stderr), display.showing(view):
        watch = asyncio.ensure_future(_watch(service, run_id, view, envelopes, display))
        ticks = asyncio.ensure_future(_tick(display))
        await asyncio.wait({task})
        for helper in (watch, ticks):
            helper.cancel()
        await asyncio.gather(watch, ticks, return_exceptions=True)
        for event in service.events(run_id, after=view.seq):
            _take(event, view, display)
    if task.cancelled():
        return Drove(run_id=run_id, view=view, interrupted_by=interrupts.signal or signal.SIGINT)
    return Drove(run_id=run_id, view=view, result=task.result())


async def _watch(
    service: Service, run_id: str, view: RunView, envelopes: AsyncIterator[Envelope], display: Display
) -> None:
    async for envelope in envelopes:
        if envelope.type == DELTA:
            display.delta(envelope.data)
        elif envelope.type == LAGGED:
            for event in service.events(run_id, after=view.seq):
                _take(event, view, display)
        elif envelope.seq > view.seq:
            _take(envelope.data, view, display)


async def _tick(display: Display) -> None:
    while True:  # noqa: ASYNC110 -- time itself is what is waited for
        await asyncio.sleep(display.tick())


def _take(event: Event, view: RunView, display: Display) -> None:
    view.feed(event)
    display.event(event)


def _show_cursor() -> None:
    with contextlib.suppress(OSError, ValueError):
        if sys.__stderr__ is not None and sys.__stderr__.isatty():
            os.write(sys.__stderr__.fileno(), b"\x1b[?25h\n")
