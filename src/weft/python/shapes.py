"""Python values and JSON: what steps are given, what they return, and the schemas of types."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, get_type_hints
from weakref import WeakKeyDictionary

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from weft.core.canonical import dumps
from weft.core.errors import InputError, SpecError

Json = Any
VALUE = "value"
"""The name under which an answer stands that is no object."""
_SHOWN = 5
_HINTS: WeakKeyDictionary[Callable[..., Any], dict[str, Any]] = WeakKeyDictionary()
_PLAIN: tuple[Any, ...] = (str, Any, None, type(None), inspect.Parameter.empty)
_ORDERED = (set, frozenset)


def plain(value: Any) -> Json:
    """`value` as JSON; the members of a set in an order that does not depend on the process.

    Raises:
        ValueError: it has no form in JSON.
    """
    if isinstance(value, _ORDERED):
        return sorted((plain(each) for each in value), key=dumps)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return to_jsonable_python(value)


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The types that `function` declares, looked up once.

    Raises:
        SpecError: they cannot be read.
    """
    known = _HINTS.get(function)
    if known is None:
        known = _HINTS[function] = _hints(function)
    return known


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:  # type hints are the user's code, and are run here
        name = getattr(function, "__name__", "it")
        raise SpecError(f"the type hints of {name!r} cannot be read: {error}", fix="use importable types") from error


def bound(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, defaults filled in.

    Raises:
        TypeError: they do not fit the signature, as in any call.
    """
    given = inspect.signature(function).bind(*args, **kwargs)
    given.apply_defaults()
    return dict(given.arguments)


def read(hint: Any, value: Json) -> Any:
    """`value` as the type `hint`.

    Raises:
        InputError: it does not fit.
    """
    if _is_plain(hint):
        return value
    try:
        return _adapter(hint).validate_python(value)
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or VALUE}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:_SHOWN]
        )
        raise InputError(f"it does not fit its type: {found}", fix="correct the value or the type") from error


def answer_schema(hint: Any, name: str) -> dict[str, Json] | None:
    """The JSON Schema of an agent's answer; None for a text. What is no object stands in one, under `VALUE`.

    Raises:
        SpecError: the type has no form in JSON.
    """
    if _is_plain(hint):
        return None
    schema = schema_of(hint, name)
    if schema.get("type") == "object" and "$ref" not in schema:
        return schema
    definitions = {"$defs": defs} if (defs := schema.pop("$defs", None)) else {}
    return {"type": "object", "properties": {VALUE: schema}, "required": [VALUE], **definitions}


def answer(hint: Any, response: Json) -> Any:
    """An agent's answer as the type `hint`."""
    if _is_plain(hint):
        return response
    schema = answer_schema(hint, "") or {}
    wrapped = list(schema.get("properties") or ()) == [VALUE] and schema_of(hint, "").get("type") != "object"
    return read(hint, response[VALUE] if wrapped and isinstance(response, Mapping) else response)


def schema_of(hint: Any, name: str) -> dict[str, Json]:
    """The JSON Schema of a type.

    Raises:
        SpecError: it has none.
    """
    try:
        return _adapter(hint).json_schema()
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError, NameError) as error:
        said = str(error).splitlines()[0]
        raise SpecError(
            f"{name!r} has a type that cannot be described as JSON: {said}", fix="use types with a form in JSON"
        ) from error


def _is_plain(hint: Any) -> bool:
    return any(hint is each for each in _PLAIN)


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return _kept(hint)
    except TypeError:  # a hint that cannot be hashed
        return TypeAdapter(hint)


@lru_cache(maxsize=512)
def _kept(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)
