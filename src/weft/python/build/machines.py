"""State machines and behaviour trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from weft.python.build.options import StateOptions
from weft.python.build.parts import Part, part
from weft.python.build.steps import Do

Guarded = str | None


def state(**options: Unpack[StateOptions]) -> Part:
    """A state: what is done on entering and leaving it, and the ways out of it."""
    return part(options)


def to(target: str | None = None, *, guard: Guarded = None, do: Do | None = None) -> Part:
    """A way out of a state; without a target the state is not left."""
    return part({"to": target, "guard": guard, "do": do})


def after(seconds: float | str, target: str | None = None, *, guard: Guarded = None, do: Do | None = None) -> Part:
    """A way that opens when the state has lasted so long."""
    return part({"seconds": seconds, "to": target, "guard": guard, "do": do})


def state_machine(
    initial: str,
    states: Mapping[str, Part],
    *,
    context: Mapping[str, Any] | None = None,
    max_visits: int | None = None,
) -> Part:
    """States, and what leads from one to another."""
    config = {"initial": initial, "states": dict(states), "context": context, "max_visits": max_visits}
    return part({"type": "state_machine", "config": part(config)})


def behavior_tree(root: Part, *, context: Mapping[str, Any] | None = None) -> Part:
    """A tree of nodes that succeed or fail; a step is a leaf."""
    return part({"type": "behavior_tree", "config": part({"root": root, "context": context})})


def sequence(*children: Part, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """Children in order; the first that fails fails it."""
    return part({"sequence": list(children), "id": id})


def selector(*children: Part, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """Children in order; the first that succeeds makes it succeed."""
    return part({"selector": list(children), "id": id})


def together(
    *children: Part,
    success_threshold: int | None = None,
    failure_threshold: int | None = None,
    id: str | None = None,  # noqa: A002 -- the language's word
) -> Part:
    """Children at the same time (the language's `parallel`), until enough succeeded or too many failed."""
    return part(
        {
            "parallel": list(children),
            "success_threshold": success_threshold,
            "failure_threshold": failure_threshold,
            "id": id,
        }
    )


def condition(expression: str, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """Succeeds when the expression holds."""
    return part({"condition": expression, "id": id})


def invert(child: Part, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """Success becomes failure, and failure success."""
    return part({"invert": child, "id": id})


def repeat(child: Part, *, times: int | None = None, until: str | None = None, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """The child again and again while it succeeds."""
    return part({"repeat": child, "times": times, "until": until, "id": id})


def retry(child: Part, attempts: int, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """The child again while it fails."""
    return part({"retry": child, "attempts": attempts, "id": id})


def timeout(child: Part, seconds: float, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """Fails when the child takes longer."""
    return part({"timeout": child, "seconds": seconds, "id": id})


def cooldown(child: Part, seconds: float, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """Fails at once when the child ended less than so many seconds ago."""
    return part({"cooldown": child, "seconds": seconds, "id": id})


def succeed(child: Part, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """The child, whose failure counts as success."""
    return part({"succeed": child, "id": id})


def fail(child: Part, id: str | None = None) -> Part:  # noqa: A002 -- the language's word
    """The child, whose success counts as failure."""
    return part({"fail": child, "id": id})
