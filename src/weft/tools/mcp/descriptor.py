"""What a server says of its tools: bounded, made visible, and told apart by a digest."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import unified_diff
from functools import cached_property
from typing import Any

from jsonschema.exceptions import SchemaError
from mcp_types import Tool as Listed

from weft.core.canonical import dumps
from weft.core.errors import ToolError
from weft.core.json_schema import check_schema, unlimited, unusable_patterns
from weft.tools.port import Effect

MAX_TOOLS = 512
_NAME = 128
_DESCRIPTION = 8_000
_SCHEMA = 128 * 1024
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_PLAIN = frozenset("\n\t")
_TEXTS = frozenset({"description", "title", "$comment"})
_PATTERNS = frozenset({"pattern", "patternProperties"})


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A tool as its server describes it, to the letter."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Any = None
    hints: Mapping[str, bool] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that is known of it, in hex."""
        return hashlib.sha256(dumps(self.as_json())).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """The descriptor as the journal keeps it; `from_json` reads it back."""
        data: dict[str, Any] = {"name": self.name, "description": self.description, "input_schema": self.input_schema}
        if self.output_schema is not None:
            data["output_schema"] = self.output_schema
        return data | ({"hints": dict(self.hints)} if self.hints else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Descriptor:
        """A descriptor from the journal."""
        return cls(**data)

    @property
    def shown_description(self) -> str:
        """The description for agents and people, nothing hidden in it."""
        return visible(self.description)

    @cached_property
    def shown_schema(self) -> Mapping[str, Any]:
        """The schema for agents and the check of arguments: texts made visible, patterns left out that could take for ever."""
        schema: Mapping[str, Any] = _shown(self.input_schema, strict=unlimited(self.input_schema))
        return schema

    def effect(self, declared: Effect | None) -> Effect:
        """What the file declares; else what the server says of itself; else a call is never repeated without a person."""
        if declared is not None:
            return declared
        if self.hints.get("readOnlyHint"):
            return "pure"
        return "idempotent" if self.hints.get("idempotentHint") else "once"


def read_descriptor(tool: Listed) -> Descriptor:
    """What a server listed, as a descriptor.

    Raises:
        ToolError: it cannot be used: its name or its schema is not one, or it is larger than it may be.
    """
    shown = visible(tool.name[:_NAME])
    if not tool.name or len(tool.name) > _NAME or shown != tool.name or "\n" in tool.name:
        raise _useless(shown, "its name is empty, too long or holds characters that cannot be seen")
    if len(tool.description or "") > _DESCRIPTION:
        raise _useless(shown, f"its description is longer than {_DESCRIPTION} characters")
    try:
        schema = dumps(tool.input_schema)
        if len(schema) > _SCHEMA or len(dumps(tool.output_schema)) > _SCHEMA:
            raise _useless(shown, f"its schema is larger than {_SCHEMA} bytes")
        check_schema(tool.input_schema)
    except (SchemaError, RecursionError, TypeError, ValueError) as error:
        reason = error.message if isinstance(error, SchemaError) else str(error)
        raise _useless(shown, f"its schema is not one: {visible(reason[:200])}") from error
    if tool.input_schema.get("type", "object") != "object":
        raise _useless(shown, "its schema is not that of an object")
    hints = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
    return Descriptor(
        name=tool.name,
        description=tool.description or "",
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        hints={name: value for name, value in hints.items() if isinstance(value, bool)},
    )


def changed_lines(before: Descriptor, now: Descriptor) -> str:
    """What is different, line by line, nothing hidden in it."""
    old, new = (
        json.dumps(
            {**one.as_json(), "description": one.shown_description, "input_schema": one.shown_schema},
            indent=2,
            ensure_ascii=False,
        ).splitlines()
        for one in (before, now)
    )
    return "\n".join(unified_diff(old, new, "before", "now", lineterm="", n=1))


def visible(text: str) -> str:
    """`text` with every character that is not seen, or turns the others around, written as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    return char not in _PLAIN and (
        unicodedata.category(char) in _HIDDEN or char in "\u2028\u2029\u115f\u1160\u3164\uffa0"
    )


def _escaped(char: str) -> str:
    return f"\\u{{{ord(char):x}}}"


def _shown(schema: Any, *, strict: bool) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: visible(value) if key in _TEXTS and isinstance(value, str) else _shown(value, strict=strict)
            for key, value in schema.items()
            # What the arguments of a tool cannot be held to, its server holds them to alone.
            if key not in _PATTERNS or next(unusable_patterns({key: value}, beside_unlimited=strict), None) is None
        }
    if isinstance(schema, list):
        return [_shown(item, strict=strict) for item in schema]
    return schema


def _useless(name: str, reason: str) -> ToolError:
    return ToolError(f"the tool {name!r} cannot be used: {reason}", fix="tell the server's author, or leave it out")
