"""Settings for what is inside: retries, budgets, time limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from weft.core.errors import BudgetError, Place, RejectedError, StepTimeoutError, WeftError
from weft.engine.port import Composite, Failure, Outcome, Success, Suspended
from weft.engine.walk.frame import Frame, Scope, Told, Walk, Written, added, extend, join, passes, recall
from weft.engine.walk.undoing import teller, undo, unwind
from weft.plan.nodes import Block


async def block(walk: Walk, node: Block, path: str, scope: Scope, frame: Frame) -> Outcome:
    """The body under the block's settings, and what its end means outside."""
    if node.ends == "plain":
        return await _inside(walk, node, path, scope, frame)
    mark = _mark(node, path)
    if known := recall(walk, mark, scope, frame):
        return known
    inner, own = Written(scope), frame.fork()
    outcome = await _inside(walk, node, path, inner, own)
    if isinstance(outcome, Suspended) or (isinstance(outcome, Failure) and passes(outcome.error, frame)):
        return outcome
    if isinstance(outcome, Success) and node.ends == "inverted":
        error = RejectedError("it succeeded, and the opposite was wanted", place=Place(path=path))
        await walk.runtime.fail(mark, error)
        return Failure(error)
    exported = inner.written() if isinstance(outcome, Success) else {}
    talks = added(frame.conversations, own.conversations) if isinstance(outcome, Success) else {}
    value = None if node.ends == "inverted" else _either(outcome)
    if node.into:
        exported[node.into] = value
    done = await walk.runtime.finish(mark, Composite(value, exported, talks), decision=True)
    scope.update(done.exported)
    extend(frame.conversations, done.conversations)
    return Success(done.value)


def _mark(node: Block, path: str) -> str:
    """Where the journal says how the block ended. A nameless body has the block's path for itself."""
    return path if path and node.body.name else f"{path}/$block"


def _either(outcome: Success | Failure) -> dict[str, Any]:
    """An end of either kind as a value."""
    if isinstance(outcome, Success):
        return {"ok": True, "value": outcome.value, "error": None}
    return {"ok": False, "value": None, "error": outcome.error.as_json()}


async def _inside(walk: Walk, node: Block, path: str, scope: Scope, frame: Frame) -> Outcome:
    """The body, and the compensations of its children when it fails."""
    if not node.compensations:
        return await _limited(walk, node, path, scope, frame)
    mark = _mark(node, path) if node.ends == "plain" else f"{_mark(node, path)}/$saga"
    if known := recall(walk, mark, scope, frame):
        return known
    inner, own = Written(scope), frame.fork()
    outcome: Outcome | None = None
    if (error := walk.runtime.undo(mark).error) is None:
        outcome = await _limited(walk, node, path, inner, own, teller(walk, node, mark))
        if isinstance(outcome, Suspended):
            return outcome
        error = outcome.error if isinstance(outcome, Failure) else None
    if error is not None:
        return await undo(walk, node, path, mark, scope, frame, error)
    value = outcome.value if isinstance(outcome, Success) else None
    done = await walk.runtime.finish(
        mark, Composite(value, inner.written(), added(frame.conversations, own.conversations))
    )
    scope.update(done.exported)
    extend(frame.conversations, done.conversations)
    return Success(done.value)


async def _limited(walk: Walk, node: Block, path: str, scope: Scope, frame: Frame, told: Told | None = None) -> Outcome:
    """The body with the block's retries, budget and time limit."""
    settings = frame.settings
    if node.retry:
        settings = replace(settings, retry=node.retry)
    if node.budget:
        walk.runtime.open_budget(path, node.budget)
        settings = replace(settings, budgets=(*settings.budgets, (path, node.budget)))
    inner = Frame(settings, frame.conversations, told)
    body = join(path, node.body.name)

    async def inside(walk: Walk = walk) -> Outcome:
        return await walk.walk(node.body, body, scope, inner)

    budget_s = node.budget.max_duration_s if node.budget else None
    limits = [seconds for seconds in (node.timeout_s, budget_s) if seconds is not None]
    if not limits:
        return await inside()
    seconds = min(limits)
    error = _too_long(path, seconds, by_budget=seconds == budget_s)
    outcome = await walk.runtime.within(_clock(node, path), seconds, inside, error)
    if isinstance(outcome, Failure) and not node.compensations:
        # Time was up before something in there had ended, which may have to undo what it did.
        await unwind(walk, node.body, outcome.error, inside)
    return outcome


def _clock(node: Block, path: str) -> str:
    """Where the journal says when the time limit began and whether it was kept. The run's own end says it for the root."""
    if node.ends != "plain" or node.compensations:
        return f"{_mark(node, path)}/$time"
    return _mark(node, path) if path else ""


def _too_long(path: str, seconds: float, *, by_budget: bool) -> WeftError:
    spot = Place(path=path)
    if by_budget:
        return BudgetError(
            f"the budget is used up: max_duration_s is {seconds:g}",
            fix="raise max_duration_s in the workflow's budgets",
            place=spot,
            limit="max_duration_s",
            budget=path,
        )
    return StepTimeoutError(f"it took longer than {seconds:g} s", fix="raise timeout_s", place=spot)
