"""Values held to JSON Schemas (draft 2020-12) that others wrote: nothing is fetched to read one, and its patterns are tried for a bounded time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from weft.core.patterns import Patience, PatternError, compiled, shown

_NO_REMOTE: Registry[Any] = Registry()
"""Schemas refer to themselves only."""
_NAME = 1_000
"""Characters that a name may have which patterns are tried on."""
_UNEVALUATED = "unevaluatedProperties"
_REPEATS = re.compile(r"[*+{]")
_PATIENCE: ContextVar[Patience | None] = ContextVar("weft_patience", default=None)


def validator(schema: Mapping[str, Any]) -> Validator:
    """What holds values to `schema`, for `problems`. Nothing fits one whose patterns cannot be used."""
    unusable = next(unusable_patterns(schema), None)
    if unusable is not None:
        schema = {_REFUSED: str(unusable)}
    held: Validator = _BOUNDED(dict(schema), registry=_NO_REMOTE)
    return held


def problems(held: Validator, value: Any, most: int = 50) -> list[ValidationError]:
    """The first things that are wrong with `value`.

    Raises:
        referencing.exceptions.Unresolvable: the schema refers to what it does not hold.
    """
    token = _PATIENCE.set(Patience())
    try:
        return list(islice(held.iter_errors(value), most))
    finally:
        _PATIENCE.reset(token)


def unlimited(schema: Any) -> bool:
    """Whether names are held to the patterns of `schema` by the library itself, which knows no limit: one keyword has it so."""
    return any(_UNEVALUATED in each for each in _maps(schema))


def unusable_patterns(schema: Any, *, beside_unlimited: bool | None = None) -> Iterator[PatternError]:
    """What is wrong with the patterns in `schema`, a whole one unless it is said whether it is a part of an `unlimited` one."""
    strict = unlimited(schema) if beside_unlimited is None else beside_unlimited
    for each in _maps(schema):
        names = each.get("patternProperties")
        for text in names if isinstance(names, Mapping) else ():
            if strict and len(_REPEATS.findall(text)) > 1:
                yield PatternError(
                    f"beside {_UNEVALUATED}, names cannot be held to {shown(text)}, in which more than one thing is repeated"
                )
            yield from _unusable(text)
        if isinstance(own := each.get("pattern"), str):
            yield from _unusable(own)


def _maps(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        yield schema
    if isinstance(schema, (Mapping, list)):
        for value in schema.values() if isinstance(schema, Mapping) else schema:
            yield from _maps(value)


def _unusable(text: str) -> Iterator[PatternError]:
    try:
        compiled(text)
    except PatternError as error:
        yield error


def _refused(_: Any, why: str, __: Any, ___: Any) -> Iterator[ValidationError]:
    yield ValidationError(f"it cannot be held to its schema: {why}")


def _pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    try:
        if (_PATIENCE.get() or Patience()).search(wanted, value) is None:
            yield ValidationError(f"{value!r} does not match {wanted!r}")
    except PatternError as error:
        yield ValidationError(f"it cannot be held to its pattern: {error}")


def _fits(pattern: str, name: str) -> bool:
    return (_PATIENCE.get() or Patience()).search(pattern, name) is not None


def _pattern_properties(held: Any, wanted: Mapping[str, Any], value: Any, _: Any) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    try:
        for pattern, schema in wanted.items():
            for name in [name for name in value if _fits(pattern, name)]:
                yield from held.descend(value[name], schema, path=name, schema_path=pattern)
    except PatternError as error:
        yield ValidationError(f"its names cannot be held to their patterns: {error}")


def _additional_properties(held: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    patterns = schema.get("patternProperties")
    if not patterns or not isinstance(value, dict):
        yield from _ADDITIONAL(held, wanted, value, schema)
        return
    own = schema.get("properties", {})
    try:
        others = [name for name in value if name not in own and not any(_fits(pattern, name) for pattern in patterns)]
    except PatternError as error:
        yield ValidationError(f"its names cannot be held to their patterns: {error}")
        return
    alone: dict[str, Any] = {"properties": {name: {} for name in value if name not in others}}
    yield from _ADDITIONAL(held, wanted, value, alone)


def _unevaluated_properties(held: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    if isinstance(value, dict) and any(len(name) > _NAME for name in value):
        yield ValidationError(f"one of its names has more than {_NAME:,} characters, and cannot be held to a pattern")
    else:
        yield from _UNEVALUATED_PROPERTIES(held, wanted, value, schema)


_REFUSED = "$refused"
_ADDITIONAL = Draft202012Validator.VALIDATORS["additionalProperties"]
_UNEVALUATED_PROPERTIES = Draft202012Validator.VALIDATORS[_UNEVALUATED]
_BOUNDED: Any = extend(  # type: ignore[no-untyped-call]  # jsonschema gives it no types
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        _UNEVALUATED: _unevaluated_properties,
        _REFUSED: _refused,
    },
)
