"""The walker of the nodes that are programs, for an interpreter that knows nothing of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from weft.core.canonical import digest
from weft.core.errors import MismatchError, Place, UnsupportedError, WeftError
from weft.engine.port import Failure, Outcome, RunHalted
from weft.engine.programs.drive import Drive
from weft.engine.programs.port import Code, Programs
from weft.engine.walk.frame import Frame, Scope, Walk
from weft.plan.nodes import Program

_HASH = 12
_NAMED = 5


def program_walker(
    programs: Programs | None, options: Mapping[str, Any], mask: Callable[[str, Any], Any]
) -> Mapping[type, Any]:
    """How programs are walked in a run with these `options`; `mask` takes secrets out of the texts of errors, at a path."""

    async def walk_program(walk: Walk, node: Program, path: str, scope: Scope, frame: Frame) -> Outcome:
        if (cut := walk.runtime.unwinding) is not None:
            return Failure(cut)
        if programs is None:
            return Failure(
                UnsupportedError(f"functions such as {node.function} are not run here", fix="run it with `weft run`")
            )
        code = _load(programs, node, options)
        inputs = {name: scope[name] for name in node.takes if name in scope}
        if dict(code.parts) != dict(node.parts):
            first = await _first_difference(walk, node, path, frame, code, inputs)
            raise RunHalted(_changed(node, code, first))
        drive = Drive(walk.runtime, path, frame.settings, node.function)
        outcome = await drive.run(code, inputs, partial(mask, path))
        assert outcome is not None, "only a dry drive ends half-way"
        return outcome

    return {Program: walk_program}


def _load(programs: Programs, node: Program, options: Mapping[str, Any]) -> Code:
    try:
        return programs.load(node, options)
    except WeftError as error:
        raise RunHalted(
            MismatchError(
                f"{node.function}, with which the run was started, cannot be loaded: {error.message}",
                fix="put the code back that the run was started with (hash "
                f"{digest(dict(node.parts))[:_HASH]}), then `weft resume` it",
                place=error.place,
                function=node.function,
            )
        ) from error


async def _first_difference(
    walk: Walk, node: Program, path: str, frame: Frame, code: Code, inputs: Mapping[str, Any]
) -> str:
    """Where the new code leaves what the journal has: it is run over that alone, and nothing is performed."""
    try:
        await Drive(walk.runtime, path, frame.settings, node.function, dry=True).run(code, inputs, lambda text: text)
    except RunHalted as halt:
        recorded: Mapping[str, str] = halt.error.ids.get("recorded") or {}
        what = " ".join(recorded[name] for name in ("type", "target") if name in recorded)
        return f"the first step that differs is {halt.error.place.path} ({what})" if recorded else halt.error.message
    return "no recorded step differs"


def _changed(node: Program, code: Code, first: str) -> MismatchError:
    old, new = dict(node.parts), dict(code.parts)
    said = [
        f"{name} has changed ({old[name][:_HASH]} → {new[name][:_HASH]})"
        for name in old
        if new.get(name, old[name]) != old[name]
    ]
    said += [f"{name} ({old[name][:_HASH]}) is gone" for name in old if name not in new]
    said += [f"{name} ({new[name][:_HASH]}) is new" for name in new if name not in old]
    more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return MismatchError(
        f"the code of {node.function} is not that with which the run was started: {', '.join(said[:_NAMED])}{more}; {first}",
        fix=f"put the code back that it was started with (hash {digest(old)[:_HASH]}, now {digest(new)[:_HASH]}) and `weft resume` "
        "the run, or start a new one with the new code",
        place=Place(file=node.function.rpartition(":")[0]),
        function=node.function,
        started_with=digest(old),
        now=digest(new),
    )
