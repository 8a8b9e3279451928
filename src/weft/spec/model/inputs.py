# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from weft.spec.model.base import Scalar, Section, by_shape

InputType = Literal["string", "number", "integer", "boolean", "array", "object"]


class InputField(Section):
    """One input: its type, and what a caller may leave out or must choose from."""

    type: InputType
    description: str = ""
    default: Any = None
    enum: list[Any] | None = None


InputDeclaration = Annotated[
    Annotated[InputType, Tag("<text>")] | Annotated[InputField, Tag("<map>")],
    by_shape(),
]
InputName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.:-]*$")]


class Inputs(Section):
    """What a run is given. `values` are set by the file itself; a caller's value wins over them."""

    required: dict[InputName, InputDeclaration] = {}
    optional: dict[InputName, InputDeclaration] = {}
    values: dict[InputName, Scalar] = {}

    def declared(self) -> dict[str, InputField]:
        """Every declared input by name, shorthands spelled out, required ones first."""
        return {
            name: InputField(type=entry) if isinstance(entry, str) else entry
            for name, entry in (self.required | self.optional).items()
        }

    def names(self) -> frozenset[str]:
        """Every name that templates may use because the file declares it or gives it a value."""
        return frozenset(self.required) | frozenset(self.optional) | frozenset(self.values)
