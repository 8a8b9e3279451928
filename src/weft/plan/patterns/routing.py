"""Routing: an agent picks one of several chains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from weft.plan.nodes import Branch, Choose, Node, Sequence, Set
from weft.plan.patterns.answers import heard, route_answer
from weft.plan.patterns.compiler import Compiler
from weft.plan.patterns.people import gate_of
from weft.plan.patterns.steps import ask
from weft.spec.model.patterns import Routing

_SPECIAL = re.compile(r"[\\.*+?()\[\]{}|^$]")
_NO_SEGMENT = re.compile(r"[^\w.:-]+")


def compile_routing(pattern: Routing, compiler: Compiler, name: str) -> Node:
    """The router at ``/decide/router``, its review at ``/review``, then the steps at ``/route/<name>/step[0]``."""
    config = pattern.config
    router, routes = config.router, dict(sorted(config.routes.items()))
    answer = route_answer(config.routes, retries=router.max_retries, default=config.default)
    prompt = compiler.opening if router.input is None else router.input
    chosen = {
        "router": '{"chosen_route": decided[0].data.route, "response": decided[0].response, "agent": decided[0].agent}',
        "chosen_route": "decided[0].data.route",
        "router_agent": "decided[0].agent",
    }
    children: list[Node] = [
        heard(ask(router.agent, "router", prompt, answer=answer), "decide", "decided"),
        Set(name="chosen", values=chosen),
    ]
    if router.review_router is not None:
        forms = "|".join(["approved?", *(f"route:\\s*{_escaped(route)}" for route in routes)])
        review = gate_of(router.review_router, "review", pattern=f"(?i)\\s*(?:{forms})\\s*")
        children += [review, *_reviewed(list(routes))]
    opening = compiler.opening if compiler.workflow.inputs.required or router.input is None else router.input
    names = _segments(routes)
    branches = tuple(
        Branch(
            when=f"router.chosen_route == {json.dumps(route)}",
            node=Sequence(
                name=names[route],
                children=compiler.series(entry.then, opening),
                into="steps",
                exports=("hitl_response",),
            ),
        )
        for route, entry in routes.items()
    )
    unknown = f"the review chose a route that is not there; there are: {', '.join(routes)}"
    children.append(Choose(name="route", branches=branches, required=unknown))
    return Sequence(name=name, children=tuple(children))


def _reviewed(routes: list[str]) -> tuple[Node, Node]:
    """What makes the answer of a review the chosen route: ``approved``, or ``route:<name>`` in any capitals."""
    answers = dict.fromkeys(("approved", "approve"), "router.chosen_route") | {
        "route:" + "".join(route.lower().split()): json.dumps(route) for route in routes
    }
    table = ", ".join(f"{json.dumps(said)}: {route}" for said, route in answers.items())
    chosen = f'{{{table}}}.get(hitl_response | lower | replace(" ", ""), "")'
    router = f'{{"chosen_route": {chosen}, "response": router.response, "agent": router.agent}}'
    return (
        Set(name="reviewed", values={"router": router}),
        Set(name="rechosen", values={"chosen_route": "router.chosen_route"}),
    )


def _escaped(name: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", name)


def _segments(routes: Iterable[str]) -> dict[str, str]:
    """The segment of each route in step paths: its name, without what would not be one segment."""
    found: dict[str, str] = {}
    for place, route in enumerate(routes):
        plain = _NO_SEGMENT.sub("-", route)
        found[route] = f"{plain}-{place}" if plain in found.values() else plain
    return found
