"""A gate at the terminal: what it asks in a panel, then its choices, its form field by field, and the reason."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from rich.panel import Panel
from rich.text import Text

from weft.app.service import Service
from weft.cli.render.consoles import console
from weft.cli.render.figures import now, when
from weft.cli.terminal import clean, paint, tell
from weft.core.canonical import strict_loads
from weft.core.errors import ConflictError, InputError, WeftError
from weft.engine.forms import form_problems
from weft.engine.questions import Answer, assignees, is_rejection
from weft.store.gates import Gate

_TRIES = 10
_CHUNK = 65_536


class Keyboard:
    """Lines from a terminal, read without holding up anything else, so that Ctrl-C is heard meanwhile."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def line(self, question: str) -> str:
        """What is answered to `question`, without white space around it; empty also at the end of the input."""
        sys.stderr.write(question)
        sys.stderr.flush()
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()

        def ready() -> None:
            if not readable.done():
                readable.set_result(None)

        loop.add_reader(self._descriptor, ready)
        try:
            await readable
        finally:
            loop.remove_reader(self._descriptor)
        # A terminal hands out whole lines.
        return os.read(self._descriptor, _CHUNK).decode(errors="replace").strip()


def me() -> str:
    """The name under which this user answers when none is given."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


async def put(service: Service, gate: Gate, keyboard: Keyboard) -> bool:
    """Ask what `gate` asks; whether it is decided now. Whoever answers nothing leaves it waiting."""
    console(sys.stderr).print(panel(gate))
    for _ in range(_TRIES):
        try:
            answer = await _answer(gate, keyboard, here=service.here)
            if answer is None:
                tell("Left waiting.")
                return False
            await service.decide(gate.run_id, gate.id, answer)
        except InputError as error:
            tell(f"{paint('error:', 'bold red', sys.stderr)} {clean(error.message)}. {clean(error.fix)}")
        except WeftError as error:
            tell(f"{paint('error:', 'bold red', sys.stderr)} {clean(error.message)}")
            return isinstance(error, ConflictError)
        else:
            return True
    return False


def panel(gate: Gate) -> Panel:
    """What a gate asks, as it is shown to a person."""
    request = gate.request
    text = Text(clean(str(request.get("prompt", ""))), style="bold")
    if request.get("show"):
        text.append(f"\n\n{clean(str(request['show']))}", style="not bold")
    if request.get("given") is not None:
        text.append(f"\n\n{clean(json.dumps(request['given'], indent=2, ensure_ascii=False))}", style="not bold")
    facts = []
    if asked := assignees(request, now()):
        facts.append(f"for {', '.join(asked)}")
    if gate.due is not None:
        facts.append(f"until {when(gate.due)}")
    subtitle = Text(clean("  ".join(facts))) if facts else None
    return Panel(text, title=Text(clean(f"{gate.workflow} {gate.path}")), subtitle=subtitle, title_align="left")


async def _answer(gate: Gate, keyboard: Keyboard, *, here: bool) -> Answer | None:
    request = gate.request
    by = await _name(request, keyboard) if here else ""
    choices: list[str] = list(request.get("choices", ()))
    if choices:
        tell("  ".join(f"{place}) {clean(choice)}" for place, choice in enumerate(choices, 1)))
    said = await keyboard.line(f"{'choice' if choices else 'answer'} (empty leaves it waiting): ")
    if (here and not by) or not said:
        return None
    if said.isdecimal() and 0 < int(said) <= len(choices):
        said = choices[int(said) - 1]
    rejects = is_rejection(request, None, said)
    form = request.get("form")
    values = None if form is None or rejects else await _fill(form, request.get("given"), keyboard)
    why = await keyboard.line("why (may stay empty): ") if rejects else ""
    return Answer(by=by, response=said, values=values, why=why, saw=request["shown"])


async def _name(request: Mapping[str, Any], keyboard: Keyboard) -> str:
    asked = assignees(request, now())
    if not asked or me() in asked:
        return me()
    return await keyboard.line(f"It asks {', '.join(map(clean, asked))}. Who answers? ")


async def _fill(form: Mapping[str, Any], given: Any, keyboard: Keyboard) -> dict[str, Any]:
    """The values of a form, asked for one by one and each held to its part of the schema."""
    begun = given if isinstance(given, dict) else {}
    values = dict(begun)
    for name, part in (form.get("properties") or {}).items():
        schema = part if isinstance(part, Mapping) else {}
        default = begun.get(name, schema.get("default"))
        for _ in range(_TRIES):
            text = await keyboard.line(_question(name, schema, default))
            if not text:
                if default is not None:
                    values[name] = default
                break
            value = typed(form, name, text)
            problems = form_problems(schema, value)
            if not problems:
                values[name] = value
                break
            tell(clean("; ".join(problems)))
    return values


def typed(form: Mapping[str, Any] | None, name: str, text: str) -> Any:
    """The value that `text` means for the field `name`: a text where the form wants one, else JSON when it is JSON."""
    properties = (form or {}).get("properties") or {}
    schema = properties.get(name)
    if isinstance(schema, Mapping) and schema.get("type") == "string":
        return text
    try:
        return strict_loads(text)
    except (ValueError, RecursionError):
        return text


def _question(name: str, schema: Mapping[str, Any], default: Any) -> str:
    about = [str(schema[key]) for key in ("title", "description") if schema.get(key)]
    kind = (
        " or ".join(map(str, schema["enum"])) if isinstance(schema.get("enum"), list) else str(schema.get("type", ""))
    )
    shown = f" [{json.dumps(default, ensure_ascii=False)}]" if default is not None else ""
    facts = ", ".join(part for part in (*about, kind) if part)
    return clean(f"{name}{f' ({facts})' if facts else ''}{shown}: ")
