"""Parts of the language that hold each other: a step may hold a whole pattern, whose steps may hold patterns again.

A field names such a part by `Late`, and the module that defines the part binds it. Both are looked up when a document is first
read, so that neither module needs to import the other.
"""

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

_BOUND: dict[str, Any] = {}
_NAMED: dict[str, TypeAliasType] = {}


def bind(name: str, annotation: Any) -> None:
    """Say what ``Late(name)`` stands for."""
    _BOUND[name] = annotation
    # Under a name of its own it is one definition, however often it is used.
    _NAMED[name] = TypeAliasType(f"Any{name.title()}", annotation)


class Late:
    """Stands, as the metadata of an annotation, for the type that is bound to `name`."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def annotation(self) -> Any:
        """The type that it stands for."""
        return _BOUND[self._name]

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(_NAMED[self._name])
