"""Undoing: what a block's children have done is undone, the latest first, when the block comes to nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from weft.core.errors import WeftError, from_json
from weft.engine.port import Failure, Outcome, Settings, Success, Suspended
from weft.engine.walk.frame import Frame, Scope, Told, Walk, join
from weft.plan.nodes import Block, Choose, Graph, Loop, Machine, Map, Node, Select, Sequence


def teller(walk: Walk, node: Block, mark: str) -> Told:
    """Takes note of each child of the block that succeeds and could be undone."""

    def told(child: str, _: Scope) -> None:
        if child in node.compensations and child not in walk.runtime.undo(mark).children:
            walk.runtime.undoable(mark, child)

    return told


async def undo(
    walk: Walk, node: Block, path: str, mark: str, scope: Scope, frame: Frame, error: WeftError
) -> Suspended | Failure:
    """Run the compensations of what had succeeded, in the scope as it was then; the failure of the block says what came of them."""
    order = walk.runtime.undo(mark).children
    if not order:
        return Failure(error)
    await walk.runtime.undoing(mark, error)
    scopes = await _scopes(walk, node, path, scope, frame, error)
    forward = walk.on(walk.runtime.forward())
    done: dict[bool, list[str]] = {True: [], False: []}
    for child in reversed(order):
        inner = dict(scopes.get(child, scope)) | {"error": error.as_json()}
        # Budgets end what goes forward; what was done must be undone whatever it costs.
        own = Frame(Settings(frame.settings.retry), dict(frame.conversations))
        outcome = await forward.walk(node.compensations[child], f"{path}/$undo[{child}]", inner, own)
        if isinstance(outcome, Suspended):
            return outcome
        done[isinstance(outcome, Success)].append(child)
    failure = from_json(error.as_json())
    failure.ids |= {"compensated": done[True], "not_compensated": done[False]}
    if done[False]:
        failure.fix = f"undo by hand what {', '.join(done[False])} did"
    await forward.runtime.fail(mark, failure)
    return Failure(failure)


async def unwind(walk: Walk, node: Node, error: WeftError, again: Callable[[Walk], Awaitable[Outcome]]) -> None:
    """See to it that `node`, which was cut off, undoes what it has done; `again` walks it on the walk that it is given."""
    if undoes(node):
        await again(walk.on(walk.runtime.unwound(walk.runtime.unwinding or error)))


def undoes(node: Node | None) -> bool:
    """Whether there is something in `node` that could have to be undone, apart from its child runs."""
    match node:
        case Block():
            return bool(node.compensations) or undoes(node.body)
        case Sequence() | Graph() | Select():
            return any(map(undoes, node.children))
        case Loop() | Map():
            return undoes(node.body)
        case Choose():
            return any(undoes(branch.node) for branch in node.branches) or undoes(node.otherwise)
        case Machine():
            return any(undoes(state.body) for state in node.states)
        case _:
            return False


async def _scopes(walk: Walk, node: Block, path: str, scope: Scope, frame: Frame, error: WeftError) -> dict[str, Scope]:
    """The scope in which each child of the block ended, from the journal."""
    scopes: dict[str, Scope] = {}
    body = join(path, node.body.name)
    own = Frame(frame.settings, dict(frame.conversations), scopes.__setitem__)
    await walk.on(walk.runtime.unwound(error, body)).walk(node.body, body, dict(scope), own)
    return scopes
