"""Plans as JSON and back, and the hash that names them.

A field that has its default value is left out: a later version may add fields without changing the hash of any plan that
does not use them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from weft.core.canonical import digest
from weft.core.errors import MismatchError, UnsupportedError
from weft.plan.nodes import (
    Arrow,
    Block,
    Branch,
    Budget,
    Call,
    Child,
    Choose,
    Gate,
    Graph,
    Join,
    Loop,
    Machine,
    Map,
    Node,
    Plan,
    Program,
    Retry,
    Select,
    Sequence,
    Set,
    Signal,
    State,
    Wait,
)

FORMAT = 1
KINDS: Mapping[str, type] = {
    "block": Block,
    "call": Call,
    "child": Child,
    "choose": Choose,
    "gate": Gate,
    "graph": Graph,
    "loop": Loop,
    "machine": Machine,
    "map": Map,
    "program": Program,
    "select": Select,
    "sequence": Sequence,
    "set": Set,
    "wait": Wait,
}
"""The name of each kind of node in JSON."""

_NAMES = {cls: name for name, cls in KINDS.items()}
_FIX = "use the version of weft that wrote the plan, or a newer one"


def to_json(plan: Plan) -> dict[str, Any]:
    """`plan` as JSON, which `from_json` reads back."""
    data = {
        "format": plan.format,
        "workflow": plan.workflow,
        "root": _encode(plan.root),
        "definitions": _encode(plan.definitions),
    }
    if plan.children:
        data["children"] = {name: to_json(child) for name, child in plan.children.items()}
    return data


def from_json(data: Mapping[str, Any]) -> Plan:
    """The plan that `to_json` wrote.

    Raises:
        UnsupportedError: a format, a kind of node or a field that this version does not know.
        MismatchError: a part of the plan is missing or has the wrong shape.
    """
    if data.get("format") != FORMAT:
        raise UnsupportedError(f"this plan has format {data.get('format')!r}, not {FORMAT}", fix=_FIX)
    try:
        root = _node(data["root"])
        children = {name: from_json(child) for name, child in (data.get("children") or {}).items()}
        return Plan(workflow=data["workflow"], root=root, definitions=data["definitions"], children=children)
    except (KeyError, TypeError, AttributeError) as error:
        raise MismatchError(f"this plan is damaged: {error}", fix="restore it from a backup") from None


def plan_hash(plan: Plan) -> str:
    """Hex SHA-256 of the canonical JSON of `plan`: the same for the same meaning, whatever the order of keys."""
    return digest(to_json(plan))


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data: dict[str, Any] = {"kind": _NAMES[type(value)]} if type(value) in _NAMES else {}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            if not _is_default(field, item):
                data[field.name] = _encode(item)
        return data
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encode(item) for item in value]
    return value


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(value == field.default)


def _node(data: Mapping[str, Any]) -> Node:
    kind = data["kind"]
    if kind not in KINDS:
        raise UnsupportedError(f"this plan has a node of the unknown kind {kind!r}", fix=_FIX)
    node: Node = _part(KINDS[kind], {name: value for name, value in data.items() if name != "kind"})
    return node


def _part(cls: type, data: Mapping[str, Any]) -> Any:
    known = cls.__dataclass_fields__  # type: ignore[attr-defined]  # a dataclass, all of them
    if strange := sorted(data.keys() - known.keys()):
        raise UnsupportedError(f"this plan has the unknown field {strange[0]!r} in a {cls.__name__.lower()}", fix=_FIX)
    return cls(**{name: _DECODERS.get(name, _same)(value) for name, value in data.items()})


def _same(value: Any) -> Any:
    return value


def _optional(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else decode(value)


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "body": _optional(_node),
    "node": _node,
    "otherwise": _optional(_node),
    "children": lambda value: tuple(map(_node, value)),
    "branches": lambda value: tuple(_part(Branch, each) for each in value),
    "retry": _optional(lambda value: _part(Retry, value)),
    "budget": _optional(lambda value: _part(Budget, value)),
    "join": lambda value: _part(Join, value),
    "deps": lambda value: {name: tuple(deps) for name, deps in value.items()},
    "states": lambda value: tuple(_part(State, each) for each in value),
    "exits": lambda value: tuple(tuple(_part(Arrow, arrow) for arrow in group) for group in value),
    "signals": lambda value: tuple(_part(Signal, each) for each in value),
    "compensations": lambda value: {name: _node(each) for name, each in value.items()},
    **dict.fromkeys(("exports", "choices", "rejections", "assignees", "escalate_to", "takes"), tuple),
}
