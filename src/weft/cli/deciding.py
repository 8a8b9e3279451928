"""Answering a gate or sending a signal from a shell, and making the run go on."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weft.app.service import Service
from weft.cli import logs, reach
from weft.cli.asking import me, typed
from weft.cli.attending import Manner, asks, attend
from weft.cli.drive import Interrupts
from weft.cli.outcome import Ending, ending, tell_ending
from weft.cli.terminal import clean, paint, say_json, steers_error, symbol, tell
from weft.core.canonical import strict_loads
from weft.core.errors import ConflictError, InputError
from weft.core.settings import load_settings
from weft.engine.answering import NewSignal
from weft.engine.questions import Answer

_Told = tuple[str, dict[str, Any], Ending | None]
"""The run, what was done as data, and how the drive after it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Afterwards:
    """What is done once an answer is given: whether the run is made to go on, and what is printed."""

    drive: bool
    quiet: bool
    as_json: bool


def decide(
    run: str,
    gate: str | None,
    *,
    answer: Answer,
    fields: Sequence[str],
    afterwards: Afterwards,
    in_turn: bool = False,
) -> int:
    """Give `answer`, with the values in `fields` (``name=value``), to a gate of `run`; the exit code.

    Of several open gates, one has to be named; with `in_turn`, the one that was opened first is meant.
    """
    given = [_field(text) for text in fields]
    _log()

    async def whole(service: Service) -> _Told:
        found = service.find(run)
        asked = service.gate(found.id, _first_open(service, found.id) if in_turn else gate)
        request = asked.request
        own = answer if answer.by else replace(answer, by=me() if service.here else "")
        if given:
            begun = request.get("given")
            values = {name: typed(request.get("form"), name, text) for name, text in given}
            own = replace(own, values={**(begun if isinstance(begun, dict) else {}), **values})
        decided = await service.decide(found.id, asked.id, replace(own, saw=request["shown"]))
        _tell_decision(decided.gate.path, decided.decision, repeated=decided.repeated, afterwards=afterwards)
        told = {"gate": asked.id, "path": asked.path, "decision": dict(decided.decision), "repeated": decided.repeated}
        return found.id, told, await _go_on(service, found.id, afterwards)

    return _end(_asked(whole, afterwards), afterwards)


def respond(run: str, text: str, *, quiet: bool, as_json: bool) -> int:
    """Answer the gate at which `run` waits with `text`, the first of several, and make it go on; the exit code."""
    afterwards = Afterwards(drive=True, quiet=quiet, as_json=as_json)
    return decide(run, None, answer=Answer(by="", response=text), fields=(), afterwards=afterwards, in_turn=True)


def _first_open(service: Service, run_id: str) -> str | None:
    return next((gate.id for gate in service.gates_of(run_id) if gate.status == "open"), None)


def signal(run: str, name: str, *, data: str | None, key: str | None, by: str, afterwards: Afterwards) -> int:
    """Send a signal to `run`; the exit code."""
    try:
        value = None if data is None else strict_loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--data is not JSON: {error}", fix="quote texts twice: --data '\"text\"'") from error
    if by and reach.elsewhere():
        raise InputError("a service knows by the token who sends a signal", fix="leave --by out")
    sent = NewSignal(name=name, data=value, by=by or me(), **({} if key is None else {"key": key}))
    _log()

    async def whole(service: Service) -> _Told:
        found = service.find(run)
        new = await service.signal(found.id, sent)
        if not (afterwards.quiet or afterwards.as_json):
            tell(f"The signal {clean(name)!r} {'is sent' if new else 'was sent before'}.")
        return found.id, {"signal": name, "key": sent.key, "new": new}, await _go_on(service, found.id, afterwards)

    return _end(_asked(whole, afterwards), afterwards)


async def _go_on(service: Service, run_id: str, afterwards: Afterwards) -> Ending | None:
    """Make the run go on, unless nobody wants that, somebody else does it, or it has ended."""
    if not afterwards.drive:
        return None
    run = service.find(run_id)
    if service.here and (run.driven or run.status != "waiting"):
        return None
    manner = Manner(quiet=afterwards.quiet or afterwards.as_json, ask=asks(as_json=afterwards.as_json))
    try:
        with Interrupts() as interrupts:
            drove = await attend(service, run_id, interrupts, manner=manner)
    except ConflictError:
        # Between the look and the claim, another process took it up: it is in good hands.
        return None
    return await ending(service, drove, trace=False)


def _asked(whole: Callable[[Service], Awaitable[_Told]], afterwards: Afterwards) -> _Told:
    return reach.ask(whole, streaming=steers_error() and not (afterwards.quiet or afterwards.as_json))


def _end(told: _Told, afterwards: Afterwards) -> int:
    run_id, data, end = told
    if end is not None:
        return tell_ending(end, as_json=afterwards.as_json, quiet=afterwards.quiet)
    if afterwards.as_json:
        say_json({"run_id": run_id, **data})
    elif not afterwards.quiet:
        tell(f"  weft events {run_id} --follow   watches the run\n  weft resume {run_id}            makes it go on")
    return 0


def _tell_decision(path: str, made: Any, *, repeated: bool, afterwards: Afterwards) -> None:
    if afterwards.quiet or afterwards.as_json:
        return
    mark = paint(symbol("✓", "+", sys.stderr), "green", sys.stderr)
    said = made["response"] if made["response"] is not None else ""
    tell(f"{mark} {clean(path)}: {clean(str(said))} by {clean(made['by'])}{' (as before)' if repeated else ''}")


def _field(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"--set {text!r} is not NAME=VALUE", fix="write --set NAME=VALUE")
    return name, value


def _log() -> None:
    settings = load_settings()
    logs.start(settings.log.level, settings.log.format)
