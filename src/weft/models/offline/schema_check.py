# ruff: noqa: SIM905 -- word lists read best as prose
"""Check: whether a value satisfies a JSON Schema, for the part of JSON Schema that the filling knows."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from weft.core.patterns import Patience, PatternError

Schema = Mapping[str, Any]
MAX_DEPTH = 24
_ANNOTATIONS = frozenset(
    """title description default examples $defs definitions $schema $id $comment deprecated readOnly writeOnly
    discriminator $anchor""".split()
)
_EMAIL = re.compile(r"^[^\s@<>\"']+@[^\s@<>\"']+\.[A-Za-z]{2,}$")
_URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"{}|\\^`]+$")


def resolve(schema: Any, root: Schema) -> Schema | None:
    """`schema` with its local reference followed; ``True`` becomes an empty schema, ``False`` and strangers None."""
    for _ in range(MAX_DEPTH):
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            return None
        ref = schema.get("$ref")
        if ref is None:
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = _follow(ref, root)
        if not isinstance(target, Mapping):
            return None
        schema = {**target, **beside}
    return None


def _follow(ref: Any, root: Schema) -> Any:
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    here: Any = root
    for part in ref[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(here, Mapping) or key not in here:
            return None
        here = here[key]
    return here


def satisfies(value: Any, schema: Any, root: Schema, depth: int = 0) -> bool:
    """Whether `value` is valid under `schema`. A keyword that is not known here makes the answer False, never a guess."""
    found = resolve(schema, root)
    if found is None or depth > MAX_DEPTH:
        return False
    return all(key in _ANNOTATIONS or (key in _KEYWORDS and _KEYWORDS[key](value, found, root, depth)) for key in found)


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: ``true`` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: _number(v) and v == int(v),
    "number": _number,
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "email": lambda v: bool(_EMAIL.match(v)),
    "uri": lambda v: bool(_URI.match(v)),
    "url": lambda v: bool(_URI.match(v)),
    "date": lambda v: len(v) == 10 and date.fromisoformat(v) is not None,
    "date-time": lambda v: "T" in v and datetime.fromisoformat(v).tzinfo is not None,
    "time": lambda v: datetime.fromisoformat(f"2000-01-01T{v}").tzinfo is not None,
    "uuid": lambda v: str(UUID(v)) == v.lower(),
}


def _type(value: Any, schema: Schema, _root: Schema, _depth: int) -> bool:
    wanted = schema["type"]
    names = wanted if isinstance(wanted, list) else [wanted]
    return any(name in _TYPES and _TYPES[name](value) for name in names)


def _format(value: Any, schema: Schema, _root: Schema, _depth: int) -> bool:
    if not isinstance(value, str):
        return True
    test = _FORMATS.get(schema["format"])
    try:
        return test is not None and test(value)
    except ValueError:
        return False


def _pattern(value: Any, schema: Schema, _root: Schema, _depth: int) -> bool:
    if not isinstance(value, str):
        return True
    try:
        return Patience().search(schema["pattern"], value) is not None
    except PatternError:
        return False


def _multiple(value: Any, schema: Schema, _root: Schema, _depth: int) -> bool:
    step = schema["multipleOf"]
    try:
        return not _number(value) or (_number(step) and step > 0 and float(value / step).is_integer())
    except OverflowError:
        return False


def _bound(key: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any, Schema, Schema, int], bool]:
    return lambda v, s, _r, _d: not _number(v) or (_number(s[key]) and holds(v, s[key]))


def _size(
    key: str, kind: type[str | list[Any] | dict[str, Any]], holds: Callable[[int, int], bool]
) -> Callable[[Any, Schema, Schema, int], bool]:
    return lambda v, s, _r, _d: not isinstance(v, kind) or (_number(s[key]) and holds(len(v), s[key]))


def _properties(value: Any, schema: Schema, root: Schema, depth: int) -> bool:
    if not isinstance(value, dict):
        return True
    return all(satisfies(value[k], sub, root, depth + 1) for k, sub in schema["properties"].items() if k in value)


def _additional(value: Any, schema: Schema, root: Schema, depth: int) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    return all(
        satisfies(v, schema["additionalProperties"], root, depth + 1) for k, v in value.items() if k not in known
    )


def _items(value: Any, schema: Schema, root: Schema, depth: int) -> bool:
    if not isinstance(value, list):
        return True
    rest = value[len(schema.get("prefixItems", ())) :]
    return all(satisfies(item, schema["items"], root, depth + 1) for item in rest)


def _prefix(value: Any, schema: Schema, root: Schema, depth: int) -> bool:
    if not isinstance(value, list):
        return True
    return all(satisfies(v, sub, root, depth + 1) for v, sub in zip(value, schema["prefixItems"], strict=False))


def _unique(value: Any, schema: Schema, _root: Schema, _depth: int) -> bool:
    if not (isinstance(value, list) and schema["uniqueItems"]):
        return True
    return not any(same(one, other) for i, one in enumerate(value) for other in value[:i])


def _matches(key: str, value: Any, schema: Schema, root: Schema, depth: int) -> int:
    return sum(satisfies(value, sub, root, depth + 1) for sub in schema[key])


def _one_of(value: Any, schema: Schema, root: Schema, depth: int) -> bool:
    # That a branch does not hold counts only where every keyword of it is understood.
    understood = all(_understood(sub, root, depth + 1) for sub in schema["oneOf"])
    return understood and _matches("oneOf", value, schema, root, depth) == 1


def _understood(schema: Any, root: Schema, depth: int) -> bool:
    found = resolve(schema, root)
    if found is None or depth > MAX_DEPTH:
        return schema is False
    inner = [found[key] for key in ("items", "additionalProperties") if key in found]
    inner += [sub for key in ("anyOf", "oneOf", "allOf", "prefixItems") for sub in found.get(key, ())]
    inner += found.get("properties", {}).values()
    # A format is no more than a note to some validators, so it cannot keep two branches apart.
    known = "format" not in found and all(key in _ANNOTATIONS or key in _KEYWORDS for key in found)
    return known and all(_understood(sub, root, depth + 1) for sub in inner)


_KEYWORDS: Mapping[str, Callable[[Any, Schema, Schema, int], bool]] = {
    "type": _type,
    "enum": lambda v, s, _r, _d: any(same(v, option) for option in s["enum"]),
    "const": lambda v, s, _r, _d: same(v, s["const"]),
    "format": _format,
    "pattern": _pattern,
    "multipleOf": _multiple,
    "minimum": _bound("minimum", lambda v, b: v >= b),
    "maximum": _bound("maximum", lambda v, b: v <= b),
    "exclusiveMinimum": _bound("exclusiveMinimum", lambda v, b: v > b),
    "exclusiveMaximum": _bound("exclusiveMaximum", lambda v, b: v < b),
    "minLength": _size("minLength", str, lambda n, b: n >= b),
    "maxLength": _size("maxLength", str, lambda n, b: n <= b),
    "minItems": _size("minItems", list, lambda n, b: n >= b),
    "maxItems": _size("maxItems", list, lambda n, b: n <= b),
    "minProperties": _size("minProperties", dict, lambda n, b: n >= b),
    "maxProperties": _size("maxProperties", dict, lambda n, b: n <= b),
    "required": lambda v, s, _r, _d: not isinstance(v, dict) or all(key in v for key in s["required"]),
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "prefixItems": _prefix,
    "uniqueItems": _unique,
    "anyOf": lambda v, s, r, d: _matches("anyOf", v, s, r, d) >= 1,
    "oneOf": _one_of,
    "allOf": lambda v, s, r, d: _matches("allOf", v, s, r, d) == len(s["allOf"]),
}
