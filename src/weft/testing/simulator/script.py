"""What scripted agents say: fit for the question, different from each other, and the same for the same draw."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from weft.plan.nodes import Call

Json = Any
Scope = Mapping[str, Json]
_PERSUADED = 0.6
"""The chance that a member follows the choice that leads."""


def answer(call: Call, scope: Scope, draw: random.Random) -> str:
    """What the agent of `call` says."""
    schema = (call.input.get("answer") or {}).get("schema")
    script = _SCRIPTS.get(str(call.input.get("asks")))
    if script is not None:
        return script(schema or {}, scope, draw)
    if schema is not None:
        return json.dumps(instance(schema, draw))
    return f"{call.target} has thought about it {draw.randrange(1, 100)} times."


def instance(schema: Mapping[str, Json], draw: random.Random) -> Json:
    """A value that fits a schema of the kinds that workflows use."""
    if "enum" in schema:
        return draw.choice(schema["enum"])
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        properties: Mapping[str, Json] = schema.get("properties") or {}
        return {name: instance(part, draw) for name, part in properties.items()}
    if kind == "array":
        return [instance(schema.get("items") or {}, draw) for _ in range(draw.randrange(1, 4))]
    if kind in {"number", "integer"}:
        low, high = schema.get("minimum", 0), schema.get("maximum", 100)
        return draw.randint(int(low), int(high))
    if kind == "boolean":
        return draw.random() < 0.5
    return None if kind == "null" else f"words {draw.randrange(1_000)}"


def _choice(schema: Mapping[str, Json], scope: Scope, draw: random.Random, leading: str | None = None) -> str:
    del scope
    name, kind = next(iter(schema["properties"].items()))
    options = kind.get("enum") or ["one", "two", "three"]
    chosen = leading if leading is not None and draw.random() < _PERSUADED else draw.choice(options)
    return json.dumps({name: chosen})


def _vote(schema: Mapping[str, Json], scope: Scope, draw: random.Random) -> str:
    rounds = scope.get("rounds") or ()
    tally: Mapping[str, float] = rounds[-1]["tally"] if rounds else {}
    return _choice(schema, scope, draw, max(sorted(tally), key=lambda name: tally[name]) if tally else None)


def _ballot(schema: Mapping[str, Json], scope: Scope, draw: random.Random) -> str:
    tally = scope["parts"][0]["tallies"][scope["item"]["group"]]
    return _choice(schema, scope, draw, tally[0]["choice"] if tally else None)


def _statement(schema: Mapping[str, Json], scope: Scope, draw: random.Random) -> str:
    del schema
    rounds = scope.get("rounds") or ()
    position = rounds[0]["statements"][0]["position"] if rounds else f"view {draw.randrange(3)}"
    return f"{scope['member']} speaks of reason {draw.randrange(100)}.\nPosition: {position}"


def _turn(schema: Mapping[str, Json], scope: Scope, draw: random.Random) -> str:
    options = ((schema.get("properties") or {}).get("handoff") or {}).get("enum") or ()
    taken = {each["to"] for each in scope["chain"]}
    fresh = [name for name in options if name not in taken]
    if fresh and draw.random() < 0.7:
        return json.dumps({"handoff": draw.choice(fresh), "reason": "it knows more", "message": "please answer"})
    return f"{scope['at']} answers."


def _write(schema: Mapping[str, Json], scope: Scope, draw: random.Random) -> str:
    patience = 1 / (1 + len(scope["rounds"]))
    names = [name for name in schema["properties"] if draw.random() < patience]
    return json.dumps({name: f"{scope['member']} on {name}, {draw.randrange(100)}" for name in names})


def _fact(schema: Mapping[str, Json], scope: Scope, draw: random.Random) -> str:
    del schema
    return f"{scope['member']} has seen {draw.randrange(1_000)}"


def _belief(schema: Mapping[str, Json], scope: Scope, draw: random.Random) -> str:
    del schema, draw
    return json.dumps({"accept": list(range(1, len(scope["item"]["facts"]) + 1))})


_SCRIPTS: Mapping[str, Callable[[Mapping[str, Json], Scope, random.Random], str]] = {
    "vote": _vote,
    "ruling": _vote,
    "ballot": _ballot,
    "statement": _statement,
    "turn": _turn,
    "write": _write,
    "fact": _fact,
    "belief": _belief,
}
"""By what a call asks for."""
