"""Answers that a plan goes on with: what they must be, and the sentences that ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.plan.nodes import Node, Sequence
from weft.plan.patterns.scale import Scale
from weft.spec.model.patterns import Route

Answer = Mapping[str, Any]
MAX_SUBTASKS = 200
"""Subtasks of one round; more are a sign of a model that goes in circles."""


def score_answer(scale: Scale) -> Answer:
    """The judgement of a draft. A score beyond the scale that a file names is read, since nobody is held to a guess."""
    low, high = scale.ends
    return {
        "schema": {
            "type": "object",
            "required": ["score"],
            "properties": {
                "score": {"type": "number", "minimum": 0, "maximum": 100},
                "issues": {"type": "array", "items": {"type": ["string", "object"]}, "default": []},
                "fixes": {"type": "array", "items": {"type": ["string", "object"]}, "default": []},
            },
        },
        "instruction": (
            f"Score the draft from {low} to {high}. Answer with JSON and nothing else: "
            f'{{"score": <{low}-{high}>, "issues": ["<what is wrong>"], "fixes": ["<what would mend it>"]}}'
        ),
        "retries": 1,
    }


def route_answer(routes: Mapping[str, Route], *, retries: int, default: str | None) -> Answer:
    """The choice of one of `routes`. They are offered in the order of the file, which is in a map, so that it makes no other plan."""
    described = any(route.description for route in routes.values())
    offer = "one of the following routes:" if described else "one of:"
    return {
        "schema": {
            "type": "object",
            "required": ["route"],
            "properties": {"route": {"type": "string", "enum": sorted(routes)}},
        },
        "instruction": f'Answer with JSON and nothing else: {{"route": "<name>"}}, where <name> is {offer}',
        "offers": {name: route.description for name, route in routes.items()},
        "retries": retries,
        **({} if default is None else {"fallback": {"route": default}}),
    }


def subtasks_answer(done: str, first: str) -> Answer:
    """A list of subtasks; `done` is a template for those of earlier rounds, `first` one for the number of the first worker."""
    return {
        "schema": {
            "type": "array",
            "maxItems": MAX_SUBTASKS,
            "items": {
                "type": "object",
                "required": ["task"],
                "properties": {"task": {"type": "string", "minLength": 1}, "id": {"type": ["string", "integer"]}},
            },
        },
        "instruction": (
            'Answer with a JSON list and nothing else: [{"task": "<what one worker is to do>"}]. '
            'A subtask may have a "priority": 1 is begun first. Answer [] when nothing is left to do.'
        ),
        "retries": 2,
        "subtasks": {"done": done, "first": first},
    }


def heard(node: Node, name: str, into: str) -> Sequence:
    """`node` in a sequence of its own at `name`, so that its value is ``into[0]`` for the expressions after it."""
    return Sequence(name=name, children=(node,), into=into)
