"""One operation of the control API, and one call of it: what is sent, and what may be sent again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Generic, Literal, TypeVar, cast
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from weft.core.errors import InputError, MismatchError
from weft.core.ids import uuid7

Answer = TypeVar("Answer")
Parameters = tuple[tuple[str, str | int | float | bool | None], ...]
KEY = "Idempotency-Key"


class Shape(BaseModel):
    """What the service answers with. What a newer service says besides is kept and never refused."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True, protected_namespaces=())


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `again` says what sending it twice does: nothing, nothing under the same key, or who knows."""

    method: str
    path: str
    again: Literal["harmless", "keyed", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Answer]):
    """One call of an operation."""

    operation: Operation
    answer: type[Answer]
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    key: str | None = None

    @property
    def url(self) -> str:
        """The path with its values.

        Raises:
            InputError: a value is empty, or would lead to another address.
        """
        parts = {}
        for name, value in self.path.items():
            if value in {"", ".", ".."}:
                raise InputError(f"{value!r} is no {name.replace('_', ' ')}", fix="give one that is there")
            parts[name] = quote(value, safe="")
        return self.operation.path.format(**parts)

    @property
    def params(self) -> Parameters:
        """The query; what is None is left out."""
        return tuple(
            (name, _text(one))
            for name, value in self.query.items()
            if value is not None
            for one in (value if isinstance(value, list | tuple) else (value,))
        )

    @property
    def headers(self) -> dict[str, str]:
        """What this call says beside its body. A call that creates something has a key, so that a repeat finds it."""
        return {KEY: self.key or uuid7()} if self.operation.again == "keyed" else {}

    def read(self, content: bytes) -> Answer:
        """The answer that a body holds.

        Raises:
            MismatchError: it is not what this client knows.
        """
        if self.answer is type(None):
            content = b"null"
        try:
            read: Answer = _reader(cast("Hashable", self.answer)).validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = "/".join(str(part) for part in first["loc"])
            raise MismatchError(
                f"the service at {self.operation.path} answers otherwise than this client knows: {where}: {first['msg']}",
                fix="take the Weft of the service's version for the client",
            ) from error
        return read


@cache
def _reader(answer: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", answer))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)
