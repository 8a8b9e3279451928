"""Values held to JSON Schemas (draft 2020-12) that others wrote: nothing is fetched to read one, and its patterns are tried for a bounded time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
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
_REPEATED_GROUP = re.compile(r"\)[*+{]")
"""What patterns have in common that can be tried for ever."""
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


def unusable_patterns(schema: Any) -> Iterator[PatternError]:
    """What is wrong with the patterns in `schema`."""
    if isinstance(schema, Mapping):
        names = schema.get("patternProperties")
        for text in names if isinstance(names, Mapping) else ():
            # The library tries those itself, without a limit.
            if _REPEATED_GROUP.search(text):
                yield PatternError(f"names cannot be held to the pattern {shown(text)}, in which a group is repeated")
            yield from _unusable(text)
        if isinstance(own := schema.get("pattern"), str):
            yield from _unusable(own)
        for value in schema.values():
            yield from unusable_patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from unusable_patterns(value)


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


def _of_names(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    """`keyword`, which tries patterns on names, where none is too long for that."""
    original = Draft202012Validator.VALIDATORS[keyword]

    def held(of: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
        if isinstance(value, dict) and "patternProperties" in schema and any(len(name) > _NAME for name in value):
            yield ValidationError(
                f"one of its names has more than {_NAME:,} characters, and cannot be held to a pattern"
            )
        else:
            yield from original(of, wanted, value, schema)

    return held


_REFUSED = "$refused"
_NAMING = ("patternProperties", "additionalProperties", "unevaluatedProperties")
_BOUNDED: Any = extend(  # type: ignore[no-untyped-call]  # jsonschema gives it no types
    Draft202012Validator,
    {"pattern": _pattern, _REFUSED: _refused, **{keyword: _of_names(keyword) for keyword in _NAMING}},
)
