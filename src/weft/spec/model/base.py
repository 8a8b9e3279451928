"""What every section of a document has in common."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$", max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=300)]
Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0)]
Scalar = bool | int | float | str
Pointer = tuple[str | int, ...]
"""A place in a document: the keys and list positions that lead to it."""


class Section(BaseModel):
    """A part of a document. Unknown keys are errors, values are never coerced, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, protected_namespaces=())


def addition(default: Any = None, **rest: Any) -> Any:
    """A field that `version: 0` did not have; files that use it say `version: 1`."""
    return Field(default, json_schema_extra={"since": "1"}, **rest)


def by_shape() -> Discriminator:
    """Tells a shorthand (``<text>``) from the long form (``<map>``), so that an error belongs to one of them."""
    return Discriminator(lambda value: "<text>" if isinstance(value, str) else "<map>")


def walk(value: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, Section]]:
    """Every section inside `value` with its pointer, outermost first, in declared order."""
    # Most of what there is are texts and numbers, which are passed over without a walk of their own.
    if isinstance(value, Section):
        yield pointer, value
        for name, field in type(value).model_fields.items():
            if isinstance(item := getattr(value, name), _HOLDS):
                yield from walk(item, (*pointer, field.alias or name))
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, _HOLDS):
                yield from walk(item, (*pointer, key))
    elif isinstance(value, list):
        for place, item in [(place, item) for place, item in enumerate(value) if isinstance(item, _HOLDS)]:
            yield from walk(item, (*pointer, place))


_HOLDS = (Section, dict, list)
"""What can hold sections, or is one."""
