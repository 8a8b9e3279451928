"""The run's clock, read by a step: what a plan does later with the time is then the same in every replay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from weft.core.errors import InputError, Place
from weft.engine.port import Done, StepContext
from weft.plan.nodes import Call
from weft.plan.template import render_value


class ClockPerformer:
    """Performs calls that ask for the time: ``{"at": seconds since 1970}``, and ``seconds`` left `until` a time when asked."""

    async def perform(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done:
        """Read the clock.

        Raises:
            InputError: `until` is no time.
        """
        now = context.clock.micros() / 1_000_000
        until = call.input.get("until")
        if until is None:
            return Done({"at": now})
        due = _instant(render_value(until, scope), context.path)
        return Done({"at": now, "seconds": max(0.0, due - now)})

    async def check(self, call: Call, scope: Mapping[str, Any], context: StepContext) -> Done | None:
        """A reading leaves no trace outside."""
        del call, scope, context
        return None


def _instant(value: Any, path: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    raise InputError(
        f"`until` is {str(value)[:80]!r}, which is no time",
        fix="write it like 2030-01-31T09:00:00+01:00, with its offset, or as seconds since 1970",
        place=Place(path=path),
    )
