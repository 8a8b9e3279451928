"""Which steps of a plan say what its run answers, as far as the plan tells: their text can be passed on while it comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from weft.plan.nodes import Block, Call, Child, Choose, Graph, Node, Plan, Sequence, Set


@dataclass(frozen=True, slots=True)
class Answering:
    """Paths of steps whose text is the answer of the run. What those in `late` say is known to be that only when they have ended."""

    paths: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()


def answering(plan: Plan) -> Answering:
    """The steps that answer; none where only the end of the run can tell.

    Those are agents and child runs with nothing behind them but what computes or writes files. An agent that may be asked again
    (in a loop, by a judge, in a race) answers nothing before it is known to be the last. One that may call tools can say something
    before it calls them, which is not its answer.
    """
    found = [(path, node) for path, node in _last(plan.root, "") if isinstance(node, Child) or _speaks(plan, node)]
    late = frozenset(path for path, node in found if isinstance(node, Call) and _may_call(plan, node))
    return Answering(frozenset(path for path, _ in found), late)


def _may_call(plan: Plan, call: Call) -> bool:
    """Whether an agent has tools."""
    if call.performer != "agent":
        return False
    definitions, override = plan.definitions, call.input.get("tools")
    agent = (definitions.get("agents") or {}).get(call.target) or {}
    tools = agent.get("tools") if override is None else override
    return bool(tools or definitions.get("common_tools") or (tools is None and definitions.get("tools")))


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
        case Graph() if (end := _only_end(node)) is not None:
            yield from _last(end, path)
        case _:
            return


def _only_end(graph: Graph) -> Node | None:
    """The one step whose result a planned graph passes on as it stands."""
    named = {child.name: child for child in graph.children}
    combine = named.get("combine")
    if not isinstance(combine, Call) or (combine.performer, combine.target) != ("planner", "combine"):
        return None
    titles = combine.input["settings"]["titles"]
    return named.get(titles[0][0]) if len(titles) == 1 else None


def _silent(node: Node) -> bool:
    """Whether `node` leaves the last response as it is."""
    return isinstance(node, Set) or (isinstance(node, Call) and node.performer == "artifact")
