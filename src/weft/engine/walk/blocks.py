"""Settings for what is inside: retries, budgets, time limits."""

from __future__ import annotations

from dataclasses import replace

from weft.core.errors import BudgetError, Place, StepTimeoutError, WeftError
from weft.engine.port import Outcome
from weft.engine.walk.frame import Frame, Scope, Walk, join
from weft.plan.nodes import Block


async def block(walk: Walk, node: Block, path: str, scope: Scope, frame: Frame) -> Outcome:
    """The body under the block's settings."""
    settings = frame.settings
    if node.retry:
        settings = replace(settings, retry=node.retry)
    if node.budget:
        walk.runtime.open_budget(path, node.budget)
        settings = replace(settings, budgets=(*settings.budgets, (path, node.budget)))
    inner = Frame(settings, frame.conversations)

    async def inside() -> Outcome:
        return await walk.walk(node.body, join(path, node.body.name), scope, inner)

    budget_s = node.budget.max_duration_s if node.budget else None
    limits = [seconds for seconds in (node.timeout_s, budget_s) if seconds is not None]
    if not limits:
        return await inside()
    seconds = min(limits)
    return await walk.runtime.within(path, seconds, inside, _too_long(path, seconds, by_budget=seconds == budget_s))


def _too_long(path: str, seconds: float, *, by_budget: bool) -> WeftError:
    spot = Place(path=path)
    if by_budget:
        return BudgetError(
            f"the budget is used up: max_duration_s is {seconds:g}",
            fix="raise max_duration_s in the workflow's budgets",
            place=spot,
            limit="max_duration_s",
        )
    return StepTimeoutError(f"it took longer than {seconds:g} s", fix="raise timeout_s", place=spot)
