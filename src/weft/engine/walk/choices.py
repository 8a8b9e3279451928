"""One of several: the first branch whose condition holds, the first alternative that succeeds."""

from __future__ import annotations

from weft.core.errors import Place, RejectedError
from weft.engine.port import Composite, Failure, Outcome, Success, Suspended
from weft.engine.walk.frame import Frame, Scope, Walk, Written, added, as_value, join, passes, recall
from weft.plan.nodes import Choose, Select
from weft.plan.template import evaluate


async def choose(walk: Walk, node: Choose, path: str, scope: Scope, frame: Frame) -> Outcome:
    """The first branch that is open."""
    chosen = next((branch.node for branch in node.branches if evaluate(branch.when, scope)), node.otherwise)
    if chosen is not None:
        return await walk.walk(chosen, join(path, chosen.name), scope, frame)
    if node.required is not None:
        raise RejectedError(node.required, place=Place(path=path))
    return Success(None)


async def select(walk: Walk, node: Select, path: str, scope: Scope, frame: Frame) -> Outcome:
    """Children in order until one succeeds: what it put into the scope and said counts, what the failed ones did does not."""
    if known := recall(walk, path, scope, frame):
        return known
    failed: list[Failure] = []
    for child in node.children:
        inner, own = Written(scope), frame.fork()
        if node.into:
            dict.__setitem__(inner, node.into, [as_value(each.error) for each in failed])
        outcome = await walk.walk(child, join(path, child.name), inner, own)
        if isinstance(outcome, Suspended):
            return outcome
        if isinstance(outcome, Success):
            talks = added(frame.conversations, own.conversations)
            done = await walk.runtime.finish(path, Composite(outcome.value, inner.written(), talks), decision=True)
            scope.update(done.exported)
            frame.conversations.update(own.conversations)
            return Success(done.value)
        if passes(outcome.error, frame):
            return outcome
        failed.append(outcome)
    last = failed[-1] if failed else Failure(RejectedError("there is nothing to select from", place=Place(path=path)))
    await walk.runtime.fail(path, last.error)
    return last
