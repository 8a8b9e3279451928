"""Values held to JSON Schemas (draft 2020-12) that others wrote: nothing is fetched to read one, and its patterns are bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from weft.core.patterns import PatternError, bounded

_NO_REMOTE: Registry[Any] = Registry()
"""Schemas refer to themselves only."""


def validator(schema: Mapping[str, Any]) -> Validator:
    """What holds values to `schema`. Nothing fits one with a pattern that could be tried for ever, and no text that is too long for its pattern."""
    problem = next(unbounded_patterns(schema), None)
    if problem is not None:
        schema = {_REFUSED: str(problem)}
    held: Validator = _BOUNDED(dict(schema), registry=_NO_REMOTE)
    return held


def unbounded_patterns(schema: Any) -> Iterator[PatternError]:
    """What is wrong with the patterns in `schema`: those that are none, or could be tried for ever on some texts."""
    if isinstance(schema, Mapping):
        patterns = schema.get("patternProperties")
        texts = list(patterns) if isinstance(patterns, Mapping) else []
        if isinstance(own := schema.get("pattern"), str):
            texts.append(own)
        for text in texts:
            try:
                bounded(text)
            except PatternError as error:
                yield error
        for value in schema.values():
            yield from unbounded_patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from unbounded_patterns(value)


def _refused(_: Any, why: str, __: Any, ___: Any) -> Iterator[ValidationError]:
    yield ValidationError(f"it cannot be held to its schema: {why}")


def _pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str):
        return
    try:
        if bounded(wanted).search(value) is None:
            yield ValidationError(f"{value!r} does not match {wanted!r}")
    except PatternError as error:
        yield ValidationError(f"it cannot be held to its pattern: {error}")


def _of_names(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    """`keyword`, which tries the patterns in ``patternProperties`` on names, once none of them is too long for that."""
    original = Draft202012Validator.VALIDATORS[keyword]

    def held(of: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
        try:
            for text in schema.get("patternProperties", {}) if isinstance(value, dict) else ():
                for name in value:
                    bounded(text).search(name)
        except PatternError as error:
            yield ValidationError(f"one of its names cannot be held to a pattern: {error}")
            return
        yield from original(of, wanted, value, schema)

    return held


_REFUSED = "$refused"
_NAMING = ("patternProperties", "additionalProperties", "unevaluatedProperties")
_BOUNDED: Any = extend(  # type: ignore[no-untyped-call]  # jsonschema gives it no types
    Draft202012Validator,
    {"pattern": _pattern, _REFUSED: _refused, **{keyword: _of_names(keyword) for keyword in _NAMING}},
)
