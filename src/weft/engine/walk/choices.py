"""One of several: the first branch whose condition holds."""

from __future__ import annotations

from weft.core.errors import Place, RejectedError
from weft.engine.port import Outcome, Success
from weft.engine.walk.frame import Frame, Scope, Walk, join
from weft.plan.nodes import Choose
from weft.plan.template import evaluate


async def choose(walk: Walk, node: Choose, path: str, scope: Scope, frame: Frame) -> Outcome:
    """The first branch that is open."""
    chosen = next((branch.node for branch in node.branches if evaluate(branch.when, scope)), node.otherwise)
    if chosen is not None:
        return await walk.walk(chosen, join(path, chosen.name), scope, frame)
    if node.required is not None:
        raise RejectedError(node.required, place=Place(path=path))
    return Success(None)
