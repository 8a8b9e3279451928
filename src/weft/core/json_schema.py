"""Values held to JSON Schemas (draft 2020-12) that others wrote: nothing is fetched to read one, and no schema takes for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # it has none
from referencing import Registry

from weft.core.keywords import BOUNDED, EFFORT, REFUSED, UNEVALUATED, Effort, TooMuchError
from weft.core.patterns import PatternError, compiled, shown

_NO_REMOTE: Registry[Any] = Registry()
"""Schemas refer to themselves only."""
_REPEATS = re.compile(r"[*+{]")


def validator(schema: Mapping[str, Any]) -> Validator:
    """What holds values to `schema`, for `problems`. Nothing fits one whose patterns cannot be used."""
    unusable = next(unusable_patterns(schema), None)
    if unusable is not None:
        schema = {REFUSED: str(unusable)}
    held: Validator = BOUNDED(dict(schema), registry=_NO_REMOTE)
    return held


def problems(held: Validator, value: Any, most: int = 50) -> list[ValidationError]:
    """The first things that are wrong with `value`.

    Raises:
        referencing.exceptions.Unresolvable: the schema refers to what it does not hold.
    """
    found: list[ValidationError] = []
    token = EFFORT.set(Effort.on(value))
    try:
        found += islice(held.iter_errors(value), most)
    except TooMuchError:
        found.append(ValidationError("it cannot be held to its schema: that takes too many steps"))
    except RecursionError:
        found.append(
            ValidationError("it cannot be held to its schema: one of them is nested too deeply, or refers to itself")
        )
    finally:
        EFFORT.reset(token)
    return found


def check_schema(schema: Mapping[str, Any]) -> None:
    """Do nothing if `schema` is one.

    Raises:
        SchemaError: it is not; its message says where and why.
    """
    error = best_match(problems(BOUNDED(BOUNDED.META_SCHEMA, registry=REGISTRY), dict(schema)))
    if error is not None:
        raise SchemaError.create_from(error)


def unlimited(schema: Any) -> bool:
    """Whether names are held to the patterns of `schema` by the library itself, which knows no limit: one keyword has it so."""
    return any(UNEVALUATED in each for each in _maps(schema))


def unusable_patterns(schema: Any, *, beside_unlimited: bool | None = None) -> Iterator[PatternError]:
    """What is wrong with the patterns in `schema`, a whole one unless it is said whether it is a part of an `unlimited` one."""
    strict = unlimited(schema) if beside_unlimited is None else beside_unlimited
    for each in _maps(schema):
        names = each.get("patternProperties")
        for text in names if isinstance(names, Mapping) else ():
            if strict and len(_REPEATS.findall(text)) > 1:
                yield PatternError(
                    f"beside {UNEVALUATED}, names cannot be held to {shown(text)}, in which more than one thing is repeated"
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
