"""JSON text to a tree. YAML reads most JSON, but neither its tabs nor its surrogate pairs."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from typing import Any

from weft.spec.tree import MAX_DEPTH, MAX_NODES, Branch, DocumentError, Entry, Leaf, List, Map, noted

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,1000})(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_STRING: Any = getattr(json.decoder, "scanstring")  # noqa: B009 -- typeshed does not list it
_WORDS = {"true": True, "false": False, "null": None}


def parse_json(text: str, faults: list[DocumentError] | None = None) -> Branch:
    """The value in `text`. Duplicate keys and numbers that are too large are added to `faults`, where it is given.

    Raises:
        DocumentError: `text` is not JSON, has duplicate keys, or is too large or too deep.
    """
    return _Reader(text, faults).document()


class _Reader:
    def __init__(self, text: str, faults: list[DocumentError] | None) -> None:
        self._text = text
        self._faults = faults
        self._at = 0
        self._count = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def document(self) -> Branch:
        root = self._value(0)
        if self._peek():
            raise self._error("json", "there is more text after the end of the document", "keep one value a file")
        return root

    def _value(self, depth: int) -> Branch:
        self._count += 1
        character = self._peek()
        if self._count > MAX_NODES:
            raise self._error("too-large", f"more than {MAX_NODES:,} values", "split the document")
        if depth > MAX_DEPTH:
            raise self._error("too-deep", f"nested more than {MAX_DEPTH} levels deep", "nest less")
        if character == "{":
            return self._map(depth)
        if character == "[":
            return self._list(depth)
        line, column = self._position()
        if character == '"':
            return Leaf(self._string(), line, column)
        try:
            return Leaf(self._word(), line, column)
        except DocumentError as error:
            if error.rule != "scalar":
                raise
            noted(error, self._faults)
            return Leaf(None, line, column, broken=True)

    def _map(self, depth: int) -> Map:
        node = Map(*self._position())
        self._at += 1
        while self._peek() != "}":
            if node.entries:
                self._expect(",")
            line, column = self._position() if self._peek() == '"' else (0, 0)
            if not line:
                raise self._error("json", "expected a key in double quotes", "JSON allows no comma before a }")
            key = self._string()
            self._expect(":")
            entry = Entry(key, line, column, self._value(depth + 1))
            if node.entries.setdefault(key, entry) is not entry:
                message = f"the key {key!r} is here twice"
                noted(DocumentError("duplicate-key", message, "keep one of them", line, column), self._faults)
        self._at += 1
        return node

    def _list(self, depth: int) -> List:
        node = List(*self._position())
        self._at += 1
        while self._peek() != "]":
            if node.items:
                self._expect(",")
            node.items.append(self._value(depth + 1))
        self._at += 1
        return node

    def _string(self) -> str:
        try:
            value, self._at = _STRING(self._text, self._at + 1)
        except json.JSONDecodeError as error:
            self._at = error.pos
            raise self._error("json", f"not a valid string: {error.msg}", "escape it as JSON asks") from None
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise self._error("json", "half a surrogate pair in a string", "write both halves or the character itself")
        return str(value)

    def _word(self) -> int | float | bool | None:
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        match = _NUMBER.match(self._text, self._at)
        if not match:
            raise self._error(
                "json", "expected a value", "JSON has objects, lists, strings, numbers, true, false and null"
            )
        number = float(match[0]) if match[1] or match[2] else int(match[0])
        too_large = self._error("scalar", f"the number {match[0][:40]} is too large", "write a smaller number")
        self._at = match.end()
        if not math.isfinite(number):
            raise too_large
        return number

    def _peek(self) -> str:
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
        return self._text[self._at : self._at + 1]

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise self._error("json", f"expected {character!r}", "correct the syntax here")
        self._at += 1

    def _position(self) -> tuple[int, int]:
        line = bisect_right(self._lines, self._at)
        return line, self._at - self._lines[line - 1] + 1

    def _error(self, rule: str, message: str, fix: str) -> DocumentError:
        return DocumentError(rule, message, fix, *self._position())
