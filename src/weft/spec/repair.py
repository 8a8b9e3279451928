"""A document with wrong parts made whole in their places, so that the rest of it can be checked as well."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from weft.core.errors import Problem
from weft.spec.model.workflow import Workflow
from weft.spec.problems import CHOICES, choices, pointer_of, value_at

_TEXT = "missing"
_FILLERS: dict[str, Any] = {
    "string_type": _TEXT,
    "string_too_short": _TEXT,
    "int_type": 1,
    "int_from_float": 1,
    "float_type": 1.0,
    "bool_type": False,
    "dict_type": {},
    "model_type": {},
    "model_attributes_type": {},
    "list_type": [],
}
_ROUNDS = 10
_COLLECTIONS = {
    "agents": "unknown-agent",
    "branches": "unknown-branch",
    "tasks": "unknown-task",
    "nodes": "unknown-node",
    "steps": "later-step",
    "python": "unknown-tool",
    "http_executors": "unknown-tool",
    "mcp": "unknown-tool",
}
"""The rule of what is found wherever something in the collection is named, when that is wrong itself."""


def whole_numbers(error: ValidationError, data: Any) -> bool:
    """Make 1e3 and 1000.0 whole where `error` says that a whole number belongs; whether there was such a place.

    JSON Schema knows one kind of number, and so do those who write them.
    """
    found = False
    for detail in error.errors(include_url=False):
        pointer = pointer_of(detail, data)
        value = value_at(data, pointer)
        if detail["type"] in {"int_type", "int_from_float"} and isinstance(value, float) and value.is_integer():
            value_at(data, pointer[:-1])[pointer[-1]] = int(value)
            found = True
    return found


def repaired(error: ValidationError, data: Any) -> Workflow | None:
    """The workflow in `data` with something in every place that `error` complains about; None if that takes too long."""
    rest = _copy(data)
    for _round in range(_ROUNDS):
        details = error.errors(include_url=False)
        # All places first: what is mended is no longer where it was found.
        for detail, pointer in [(detail, pointer_of(detail, rest)) for detail in details]:
            parent = value_at(rest, pointer[:-1]) if pointer else None
            if isinstance(parent, list) or (isinstance(parent, dict) and _there(parent, pointer[-1], detail)):
                _mend(detail, pointer[-1], parent)
        try:
            return Workflow.model_validate(rest)
        except ValidationError as more:
            error = more
    return None


def independent(found: Iterable[Problem], wrong: Iterable[Problem]) -> list[Problem]:
    """What was `found` in a repaired workflow and does not only follow from what was `wrong` with it before."""
    places = {problem.place.pointer or "" for problem in wrong}
    lost = {rule for place in places for collection, rule in _COLLECTIONS.items() if _loses(place, collection)}
    return [each for each in found if not (_within(each.place.pointer or "", places) or each.rule in lost)]


def _within(pointer: str, places: Collection[str]) -> bool:
    while pointer:
        if pointer in places:
            return True
        pointer = pointer.rpartition("/")[0]
    return "" in places


def _loses(place: str, collection: str) -> bool:
    """Whether who is in `collection` is not known when `place` is wrong."""
    *_, third, second, last = ("", "", "", *place.split("/"))
    if collection == "steps":
        # They are counted, and none is lost.
        return last == collection
    if place == "/tools":
        return collection == "mcp"
    return last == collection or (second == collection and last.isdigit()) or (third == collection and last == "id")


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data


def _there(parent: dict[str, Any], key: str | int, detail: ErrorDetails) -> bool:
    """Whether there is still something to mend: what has a bad key is taken out."""
    return key in parent or detail["type"] == "missing"


def _mend(detail: ErrorDetails, key: Any, parent: Any) -> None:
    kind = detail["type"]
    if kind == "missing":
        parent.setdefault(key, _TEXT) if isinstance(parent, dict) else None
    elif kind == "union_tag_invalid" and isinstance(value_at(parent, (key,)), dict):
        parent[key]["type"] = _nearest(str(detail.get("ctx", {}).get("tag", "")), choices(detail))
    elif kind in CHOICES:
        parent[key] = _nearest(str(detail["input"]), choices(detail))
    elif kind == "too_short" and isinstance(value_at(parent, (key,)), list):
        parent[key].append({})
    elif kind == "too_short":
        parent[key] = {_TEXT: {}}
    elif kind == "string_pattern_mismatch" and parent[key] == _TEXT:
        parent[key] = f"https://{_TEXT}.example"
    elif kind in _FILLERS:
        parent[key] = _copy(_FILLERS[kind])
    elif isinstance(parent, list):
        parent[key] = _TEXT
    else:
        parent.pop(key, None)


def _nearest(word: str, known: list[str]) -> str:
    return (get_close_matches(word[:200], known, n=1) or known)[0]
