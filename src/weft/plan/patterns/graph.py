"""Graph: nodes and edges with conditions, cycles and fan-out, as a machine."""

from __future__ import annotations

import json
from typing import Any

from weft.plan.nodes import Arrow, Machine, Node, Sequence, Set, State
from weft.plan.patterns.compiler import Compiler, Slot
from weft.plan.patterns.people import gate_of
from weft.spec.conditions import condition
from weft.spec.model.patterns import ChoiceEdge, Graph, GraphConfig, GraphNode
from weft.spec.model.steps import AgentStep, HitlStep


def compile_graph(pattern: Graph, compiler: Compiler, name: str) -> Node:
    """The machine at ``/graph``, whose steps are at ``/graph/<node>[0]/step``."""
    config = pattern.config
    asks = any(isinstance(node, HitlStep) for node in config.nodes.values())
    before = {"nodes": _object({node: _unvisited(entry) for node, entry in config.nodes.items()})}
    if asks:
        before["hitl_response"] = "none"
    if _counts_steps(config):
        before["total_steps"] = "0"
    machine = Machine(
        name="graph",
        start=next(iter(config.nodes)),
        states=tuple(
            State(name=node, body=_body(node, config, compiler), exits=_exits(node, config)) for node in config.nodes
        ),
        into="nodes",
        max_visits=config.max_iterations,
        max_parallel=compiler.workflow.runtime.max_parallel,
    )
    counts = {node: f"nodes[{json.dumps(node)}].iteration" for node in config.nodes}
    tokens = (f"nodes[{json.dumps(node)}].cumulative_tokens" for node in config.nodes)
    after = {
        "total_steps": " + ".join(counts.values()),
        "iteration_counts": _object(counts),
        "cumulative_tokens": " + ".join(tokens),
    }
    if "timestamp" not in compiler.workflow.inputs.names():
        after["timestamp"] = "execution_context.timestamp"
    return Sequence(
        name=name,
        children=(Set(name="unvisited", values=before), machine, Set(name="visited", values=after)),
    )


def _object(entries: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in entries.items()) + "}"


def _agent(node: GraphNode) -> str:
    """The expression for the agent of a node."""
    return json.dumps(node.agent) if isinstance(node, AgentStep) else "none"


def _unvisited(node: GraphNode) -> str:
    agent = _agent(node)
    return (
        f'{{"response": none, "agent": {agent}, "status": "not_executed", "iteration": 0, "tokens_estimated": 0, '
        '"cumulative_tokens": 0}'
    )


def _counts_steps(config: GraphConfig) -> bool:
    """Whether an edge chooses by how many nodes have been visited."""
    choices = (choice for edge in config.edges if isinstance(edge, ChoiceEdge) for choice in edge.choose)
    return any("total_steps" in choice.when for choice in choices)


def _body(name: str, config: GraphConfig, compiler: Compiler) -> Sequence:
    """What is done at a node, and what ``nodes.<id>`` says of it afterwards."""
    entry = config.nodes[name]
    slot = Slot("step", prompt=_generated(name, config, compiler))
    step: Node
    if isinstance(entry, HitlStep):
        # Edges that choose by the answer decide what a rejection means.
        decides = any(isinstance(edge, ChoiceEdge) and edge.source == name for edge in config.edges)
        step = gate_of(entry, "step", on_reject="continue" if decides else "fail")
    else:
        step = compiler.step(entry, slot)
    own = f"nodes[{json.dumps(name)}]"
    tokens = "visit[0].tokens_estimated | default(0)"
    value = {
        "response": "visit[0].response",
        "agent": _agent(entry),
        "status": "'completed'",
        "iteration": f"{own}.iteration + 1",
        "tokens_estimated": tokens,
        "cumulative_tokens": f"{own}.cumulative_tokens + ({tokens})",
    }
    ended = {"terminal_node": json.dumps(name)}
    if _counts_steps(config):
        ended["total_steps"] = "1 + " + " + ".join(f"nodes[{json.dumps(node)}].iteration" for node in config.nodes)
    exports = (*ended, "hitl_response")
    return Sequence(
        name="", children=(step, Set(name="visited", values=ended)), into="visit", value=value, exports=exports
    )


def _exits(name: str, config: GraphConfig) -> tuple[tuple[Arrow, ...], ...]:
    exits: list[tuple[Arrow, ...]] = []
    for edge in config.edges:
        if edge.source != name:
            continue
        if isinstance(edge, ChoiceEdge):
            exits.append(tuple(Arrow(to=choice.to, when=condition(choice.when)) for choice in edge.choose))
        else:
            exits += [(Arrow(to=target),) for target in edge.to]
    return tuple(exits)


def _generated(name: str, config: GraphConfig, compiler: Compiler) -> str:
    """What a node without `input` gets: the results of the nodes that lead to it, or what the workflow begins with."""
    sources = _sources(name, config)
    if not sources:
        return compiler.opening
    parts = "".join(
        f'{{% if nodes[{key}].status == "completed" %}}Result of {source}:\n{{{{ nodes[{key}].response }}}}\n\n{{% endif %}}'
        for source, key in ((source, json.dumps(source)) for source in sources)
    )
    if name != next(iter(config.nodes)):
        return parts
    none_done = " and ".join(f'nodes[{json.dumps(source)}].status != "completed"' for source in sources)
    return f"{{% if {none_done} %}}{compiler.opening}{{% endif %}}{parts}"


def _sources(name: str, config: GraphConfig) -> list[str]:
    found: dict[str, Any] = {}
    for edge in config.edges:
        targets = [choice.to for choice in edge.choose] if isinstance(edge, ChoiceEdge) else edge.to
        if name in targets:
            found[edge.source] = None
    return list(found)
