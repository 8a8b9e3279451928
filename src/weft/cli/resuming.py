"""Making a run go on."""

from __future__ import annotations

from typing import Literal

from weft.app.service import Service, Settled
from weft.cli import logs
from weft.cli.attending import Manner, asks, attend
from weft.cli.drive import Interrupts
from weft.cli.outcome import Ending, ending, tell_ending
from weft.cli.reach import ask
from weft.cli.terminal import steers_error
from weft.core.errors import InputError
from weft.core.settings import load_settings

_REOPENED = {"failed", "cancelled"}


def go_on(
    run: str,
    *,
    did: list[str] | tuple[str, ...] = (),
    trace: bool,
    durability: Literal["full", "fast"] | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Resume `run`, show it, and return the exit code."""
    answers = dict(map(_answer, did))
    settings = load_settings()
    logs.start(settings.log.level, settings.log.format)

    async def whole(service: Service) -> Ending:
        found = service.find(run)
        reopen = found.status in _REOPENED
        await service.resume(found.id, reopen=reopen, settle=answers)
        with Interrupts() as interrupts:
            manner = Manner(quiet=quiet or as_json, ask=asks(as_json=as_json), reopen=reopen)
            drove = await attend(service, found.id, interrupts, manner=manner)
            return await ending(service, drove, trace=trace)

    end = ask(whole, durability=durability, streaming=steers_error() and not (quiet or as_json))
    return tell_ending(end, as_json=as_json, quiet=quiet)


def _answer(text: str) -> tuple[str, Settled]:
    path, sign, word = text.rpartition("=")
    if not sign or not path or word not in {"yes", "no"}:
        raise InputError(f"--did {text!r} is not PATH=yes or PATH=no", fix="`weft why RUN` names the steps in doubt")
    return path, "yes" if word == "yes" else "no"
