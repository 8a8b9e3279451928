"""YAML 1.2 core scalars: ``on``, ``yes``, dates and ``1:30`` are plain text, not booleans, dates and sexagesimals."""

from __future__ import annotations

import math
import re

CORE = "tag:yaml.org,2002:"

_WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT = re.compile(r"[-+]?[0-9]{1,1000}|0o[0-7]{1,1000}|0x[0-9a-fA-F]{1,1000}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

Scalar = str | int | float | bool | None


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises:
        ValueError: a number that JSON cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    elif not _NOT_FINITE.fullmatch(text):
        return text
    raise ValueError(f"the number {text[:40]} is too large or not a number")


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit core tag, such as ``!!str``.

    Raises:
        ValueError: the tag is not one of the core schema, or the text is not of that type.
    """
    kind = tag.removeprefix(CORE)
    if tag == "!" or kind == "str":
        return text
    value = plain(text)
    if kind == "float" and type(value) is int:
        return float(value)
    if kind in _TYPES and type(value) is _TYPES[kind]:
        return value
    raise ValueError(
        f"the tag {tag.replace(CORE, '!!')} does not fit here; only !!str, !!int, !!float, !!bool, !!null do"
    )


_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
