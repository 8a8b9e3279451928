"""Forms: the JSON Schema that the values given with an answer must fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema.exceptions import SchemaError
from referencing.exceptions import Unresolvable

from weft.core.errors import InputError
from weft.core.json_schema import check_schema, problems, unusable_patterns, validator

_PROBLEMS = 5
_SHOWN = 200


def check_form(form: Mapping[str, Any]) -> None:
    """Do nothing if `form` is a JSON Schema.

    Raises:
        InputError: it is not.
    """
    try:
        check_schema(form)
    except SchemaError as error:
        raise InputError(
            f"the form is not a JSON Schema: {error.message[:_SHOWN]}",
            fix="correct `form` in the workflow (draft 2020-12)",
        ) from error
    if problem := next(unusable_patterns(form), None):
        raise InputError(f"the form cannot be used: {problem}", fix="correct the pattern in `form`") from problem


def form_problems(form: Mapping[str, Any], values: Any) -> list[str]:
    """What is wrong with `values`, a sentence each; none when they fit `form`."""
    found = []
    try:
        for error in problems(validator(form), values, _PROBLEMS):
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
            found.append(f"{where.lstrip('.') or 'values'}: {error.message[:_SHOWN]}")
    except Unresolvable as error:
        return [f"the form refers to {error.ref!r}, which it does not hold"]
    return found
