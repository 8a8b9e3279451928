"""Which steps of a plan say what its run answers, as far as the plan tells: their text can be passed on while it comes in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from weft.plan.nodes import Block, Call, Child, Choose, Graph, Node, Plan, Sequence, Set


def answering(plan: Plan) -> re.Pattern[str] | None:
    """A pattern of the paths of the steps whose text is the answer of the run; None where only its end can tell.

    Those are agents and child runs with nothing behind them but what computes or writes files. An agent that may be asked again
    (in a loop, by a judge, in a race) answers nothing before it is known to be the last.
    """
    paths = [path for path, node in _last(plan.root, "") if isinstance(node, Child) or _speaks(plan, node)]
    return re.compile("|".join(re.escape(path) for path in paths)) if paths else None


def _speaks(plan: Plan, call: Call) -> bool:
    """Whether what the call streams is text for people: an agent that answers with data says none."""
    if call.performer == "model":
        return True
    if call.performer != "agent" or call.input.get("answer"):
        return False
    agent = (plan.definitions.get("agents") or {}).get(call.target) or {}
    return not agent.get("output_schema")


def _last(node: Node, above: str) -> Iterator[tuple[str, Call | Child]]:
    """The steps that may be the last to speak inside `node`, with their paths; none for a composite that cannot tell."""
    path = f"{above}/{node.name}" if node.name else above
    match node:
        case Call() | Child():
            yield path, node
        case Sequence(children=children, value=value):
            speaking = [child for child in children if not _silent(child)]
            if speaking and (value is None or value.get("response") == "last_response"):
                yield from _last(speaking[-1], path)
        case Block(body=body, ends="plain"):
            yield from _last(body, path)
        case Choose(branches=branches, otherwise=otherwise):
            for arm in (*(branch.node for branch in branches), *((otherwise,) if otherwise else ())):
                yield from _last(arm, path)
        case Graph(children=(only,), value=None):
            yield from _last(only, path)
        case _:
            return


def _silent(node: Node) -> bool:
    """Whether `node` leaves the last response as it is."""
    return isinstance(node, Set) or (isinstance(node, Call) and node.performer == "artifact")
