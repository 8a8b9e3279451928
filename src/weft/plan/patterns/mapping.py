"""Map: the same steps for each item of a list that is known only at run time, and a step that puts the results together."""

from __future__ import annotations

from weft.plan.nodes import Node, Sequence
from weft.plan.patterns.compiler import Compiler, Slot
from weft.plan.patterns.flow import each
from weft.spec.model.mapping import MapPattern


def compile_mapping(pattern: MapPattern, compiler: Compiler, name: str) -> Node:
    """A map at ``/map``, then the step ``/reduce`` when there is one; without it the response is the list of responses."""
    config = pattern.config
    results = config.into or "results"
    children: list[Node] = [each(config, compiler, "map", results)]
    responses = f"{results} | map(attribute='response') | list"
    if config.reduce is not None:
        children.append(compiler.step(config.reduce, Slot("reduce", prompt=f"{{{{ {responses} }}}}")))
    value = None if config.reduce is not None else {"response": responses, "results": results}
    return Sequence(name=name, children=tuple(children), value=value, exports=(results,))
