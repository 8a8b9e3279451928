"""The nodes that wait for something outside: gates, timers, signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.core.errors import InputError, Place
from weft.engine.port import GateRequest, Outcome, Success
from weft.engine.walk.frame import Frame, Scope, Walk
from weft.plan.nodes import Gate, Wait
from weft.plan.template import evaluate, render

MAX_WAIT_S = 100 * 366 * 86_400
"""A wait for longer than a century is refused."""


async def wait(walk: Walk, node: Wait, path: str, scope: Scope, _: Frame) -> Outcome:
    """Let time pass, or listen to signals."""
    seconds = None
    if node.seconds is not None or not node.signals:
        seconds = evaluate(node.seconds or "0", scope)
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= MAX_WAIT_S:
            raise InputError(
                f"a wait needs seconds from 0 to {MAX_WAIT_S}, and {node.seconds!r} is {seconds!r}",
                place=Place(path=path),
            )
        seconds = float(seconds)
    if not node.signals:
        return await walk.runtime.sleep(path, seconds or 0.0)

    def accepts(signal: Mapping[str, Any]) -> bool:
        guards = (one.when for one in node.signals if one.name == signal["name"])
        return any(when is None or bool(evaluate(when, scope | {"signal": dict(signal)})) for when in guards)

    names = tuple(dict.fromkeys(signal.name for signal in node.signals))
    return await walk.runtime.listen(path, names, seconds, accepts)


async def gate(walk: Walk, node: Gate, path: str, scope: Scope, _: Frame) -> Outcome:
    """Have somebody decide."""

    def request() -> GateRequest:
        return GateRequest(
            prompt=render(node.prompt, scope),
            show=render(node.show, scope),
            choices=node.choices,
            form=node.form,
            pattern=node.pattern,
            rejections=node.rejections,
            on_reject=node.on_reject,
            assignees=tuple(render(name, scope) for name in node.assignees),
            deadline_s=node.deadline_s,
            warn_s=node.warn_s,
            escalate_s=node.escalate_s,
            escalate_to=tuple(render(name, scope) for name in node.escalate_to),
            default=node.default,
            facts=node.facts,
        )

    outcome = await walk.runtime.ask(path, request)
    if node.into is not None and isinstance(outcome, Success):
        scope[node.into] = outcome.value["response"]
    return outcome
