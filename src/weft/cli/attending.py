"""Staying with a run: driving it, asking whoever sits at the terminal what its gates ask, and waiting for its timers."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.app.service import Service
from weft.app.view import RunView
from weft.cli.asking import Keyboard, put
from weft.cli.drive import Drove, Interrupts, drive
from weft.cli.progress import display
from weft.cli.render.figures import now, when
from weft.cli.terminal import tell

_LOOK_S = 1.0
_BY_ITSELF = {"timer", "limit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run is attended: whether it is shown, whether somebody can be asked, and whether it is opened again first."""

    quiet: bool
    ask: bool
    reopen: bool = False


def asks(*, as_json: bool) -> bool:
    """Whether somebody sits at the terminal who can be asked."""
    return not as_json and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


async def attend(service: Service, run_id: str, interrupts: Interrupts, *, manner: Manner) -> Drove:
    """Drive a run until it ends, is interrupted, or waits for something that neither this terminal nor time can bring.

    Raises:
        WeftError: it cannot be driven here.
    """
    reopen, passed = manner.reopen, set[str]()
    while True:
        drove = await drive(service, run_id, display(quiet=manner.quiet), interrupts, reopen=reopen)
        reopen = False
        if drove.result is None or drove.result.status != "waiting":
            return drove
        going_on = asyncio.ensure_future(_until_it_can_go_on(service, run_id, drove.result.waits, passed, manner))
        interrupts.guard(going_on)
        await asyncio.wait({going_on})
        if going_on.cancelled():
            view = RunView(service.events(run_id))
            return Drove(run_id=run_id, view=view, interrupted_by=interrupts.signal or signal.SIGINT)
        if not going_on.result():
            return drove


async def _until_it_can_go_on(
    service: Service, run_id: str, waits: tuple[Mapping[str, Any], ...], passed: set[str], manner: Manner
) -> bool:
    """Wait as long as that helps; whether the run can go on. Gates that somebody has `passed` are not asked again."""
    answered = False
    for wait in waits if manner.ask else ():
        if wait["kind"] == "gate" and wait["gate"] not in passed:
            if await put(service, service.gate(run_id, wait["gate"]), Keyboard(sys.stdin.fileno())):
                answered = True
            else:
                passed.add(wait["gate"])
    if answered:
        return True
    if not all(wait["kind"] in _BY_ITSELF or (wait["kind"] == "signal" and wait.get("due")) for wait in waits):
        return False
    due = service.find(run_id).due
    if due is not None and not manner.quiet:
        tell(f"Waiting until {when(due)}. Ctrl-C lets go of the run.")
    while due is not None and due > now():
        await asyncio.sleep(min(_LOOK_S, (due - now()) / 1_000_000))
        # A signal from elsewhere makes it due at once.
        due = service.find(run_id).due
    return due is not None
