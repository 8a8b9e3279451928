"""The keywords of JSON Schema (draft 2020-12), each charged for what it does, and its patterns tried for a bounded time.

A schema of a few lines can ask for more than anybody can do: definitions that refer to one another twice each, lists whose items
are compared pair by pair, patterns that fit a name in very many ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from weft.core.canonical import dumps
from weft.core.patterns import Patience, PatternError

_STEPS = 500_000
_STEPS_AN_ITEM = 40
_KEYWORD = 4
"""Steps of a keyword by itself; one is about a microsecond."""
_NAME = 1_000
"""Characters of a name that the library tries patterns on."""
UNEVALUATED = "unevaluatedProperties"
REFUSED = "$refused"
"""A keyword of ours, which nothing fits; it says why."""
_Keyword = Callable[[Any, Any, Any, Mapping[str, Any]], Iterable[ValidationError] | None]


class TooMuchError(Exception):
    """To hold a value to its schema takes too many steps."""


@dataclass(slots=True)
class Effort:
    """What holding one value to its schema may still take."""

    steps: int
    patience: Patience = field(default_factory=Patience)

    @classmethod
    def on(cls, value: Any) -> Effort:
        """What is allowed for `value`."""
        return cls(_STEPS + _STEPS_AN_ITEM * _items(value))

    def spend(self, steps: int) -> None:
        """Charge for so many.

        Raises:
            TooMuchError: they are not left.
        """
        self.steps -= steps
        if self.steps < 0:
            raise TooMuchError


EFFORT: ContextVar[Effort] = ContextVar("weft_effort")


def _items(value: Any) -> int:
    """Values and names in `value`, on all its levels."""
    count, left = 0, [value]
    while left:
        one = left.pop()
        count += 1
        if isinstance(one, dict):
            count += len(one)
            left += one.values()
        elif isinstance(one, list):
            left += one
    return count


def _size(value: Any) -> int:
    return len(value) if isinstance(value, Sized) and not isinstance(value, str) else 0


def _charged(keyword: _Keyword) -> _Keyword:
    def held(of: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterable[ValidationError] | None:
        EFFORT.get().spend(_KEYWORD + _size(wanted) + _size(value))
        return keyword(of, wanted, value, schema)

    return held


def _pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    try:
        if not _fits(wanted, value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")
    except PatternError as error:
        yield ValidationError(f"it cannot be held to its pattern: {error}")


def _fits(pattern: str, text: str) -> bool:
    return EFFORT.get().patience.search(pattern, text) is not None


def _pattern_properties(of: Any, wanted: Mapping[str, Any], value: Any, _: Any) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    try:
        for pattern, schema in wanted.items():
            for name in [name for name in value if _fits(pattern, name)]:
                yield from of.descend(value[name], schema, path=name, schema_path=pattern)
    except PatternError as error:
        yield ValidationError(f"its names cannot be held to their patterns: {error}")


def _additional_properties(
    of: Any, wanted: Any, value: Any, schema: Mapping[str, Any]
) -> Iterable[ValidationError] | None:
    patterns = schema.get("patternProperties")
    if not patterns or not isinstance(value, dict):
        return _ADDITIONAL(of, wanted, value, schema)
    own = schema.get("properties", {})
    try:
        others = {name for name in value if name not in own and not any(_fits(pattern, name) for pattern in patterns)}
    except PatternError as error:
        return [ValidationError(f"its names cannot be held to their patterns: {error}")]
    return _ADDITIONAL(of, wanted, value, {"properties": {name: {} for name in value if name not in others}})


def _unevaluated_properties(
    of: Any, wanted: Any, value: Any, schema: Mapping[str, Any]
) -> Iterable[ValidationError] | None:
    # For this keyword alone the library tries patterns itself.
    if isinstance(value, dict) and any(len(name) > _NAME for name in value):
        return [
            ValidationError(f"one of its names has more than {_NAME:,} characters, and cannot be held to a pattern")
        ]
    return _UNEVALUATED_PROPERTIES(of, wanted, value, schema)


def _enum(of: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterable[ValidationError] | None:
    EFFORT.get().spend(_size(wanted) * _items(value))
    return _ENUM(of, wanted, value, schema)


def _const(of: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterable[ValidationError] | None:
    EFFORT.get().spend(_items(value))
    return _CONST(of, wanted, value, schema)


def _unique_items(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[ValidationError]:
    if not wanted or not isinstance(value, list):
        return
    EFFORT.get().spend(_items(value))
    if len({dumps(_as_numbers_are(item)) for item in value}) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _as_numbers_are(value: Any) -> Any:
    """`value` with 1 for 1.0: to JSON Schema they are equal."""
    if isinstance(value, dict):
        return {name: _as_numbers_are(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers_are(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refused(_: Any, why: str, __: Any, ___: Any) -> Iterator[ValidationError]:
    yield ValidationError(f"it cannot be held to its schema: {why}")


_LIBRARY: Mapping[str, _Keyword] = Draft202012Validator.VALIDATORS
_ADDITIONAL, _UNEVALUATED_PROPERTIES = _LIBRARY["additionalProperties"], _LIBRARY[UNEVALUATED]
_ENUM, _CONST = _LIBRARY["enum"], _LIBRARY["const"]
_OURS: Mapping[str, _Keyword] = {
    "additionalProperties": _additional_properties,
    "const": _const,
    "enum": _enum,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "uniqueItems": _unique_items,
    UNEVALUATED: _unevaluated_properties,
    REFUSED: _refused,
}
BOUNDED: Any = extend(  # type: ignore[no-untyped-call]  # jsonschema gives it no types
    Draft202012Validator, {name: _charged(keyword) for name, keyword in {**_LIBRARY, **_OURS}.items()}
)
