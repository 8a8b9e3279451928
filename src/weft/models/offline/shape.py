# ruff: noqa: RUF001 -- typographic marks in patterns are meant
"""Shape: the JSON that a request asks for in words, such as ``Answer with {"route": "<name>"}``, as a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_KEY = re.compile(r"\"([A-Za-z_][\w .-]{0,60})\"\s*:\s*")
_ANSWER = re.compile(
    r"\b(?:answer|respond|reply|return|output)\b[^\n{\[]{0,60}\bjson\b(?=[^\n{\[]{0,60}[{\[])", re.IGNORECASE
)
"""Where a prompt says that JSON is to be answered; the example stands behind."""
_WANTED = re.compile(r"\bjson\b|\bkeys?\b", re.IGNORECASE)
_KEYS = re.compile(
    r"\b(?:json|object)\b[^.\n]{0,60}?\b(?:with|having|containing)\b[^.\n:]{0,30}?(?:keys?|fields?|properties)?:?\s+([^.\n]{2,200})",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"\bwhere <([^<>\n]{1,60})> is one of(?: the following \w+)?:[ \t]*([^\n]*)((?:\n- [^\n]+)*)", re.IGNORECASE
)
"""Where a prompt says what may stand for a placeholder of its example: in a row, or in lines with a word about each."""
_DEPTH = 4


def asked_shape(text: str) -> dict[str, Any] | None:
    """The schema of the JSON that `text` asks for, or None when it asks for none.

    An example object is read by its keys and placeholders; a JSON Schema is taken as it is; "JSON with keys a, b and c"
    gives three strings.
    """
    start = text.find("{")
    if start > 0 and text[:start].rstrip().endswith("["):
        return _placeholder(text, text.rindex("[", 0, start), 0)[0]
    if start >= 0 and _KEY.match(text, _skip(text, start + 1)):
        schema = _schema(text, start)
        return schema if schema is not None else _object(_balanced(text, start), 0)
    named = _KEYS.search(text) if _WANTED.search(text) else None
    if named is None:
        return None
    keys = [part.strip(" `\"'") for part in re.split(r",\s*(?:and\s+)?|\s+and\s+", named.group(1))]
    keys = [key for key in keys if re.fullmatch(r"[A-Za-z_][\w-]{0,40}", key)]
    return _of({key: {} for key in keys}) if keys else None


def answer_shape(prompt: str) -> dict[str, Any] | None:
    """The schema of the JSON that a prompt says is to be answered, whatever JSON it brings along before."""
    asked = list(_ANSWER.finditer(prompt))
    if not asked:
        return None
    text = prompt[asked[-1].end() :]
    shape = asked_shape(text)
    return shape if shape is None else _with_choices(shape, text)


def without_request(prompt: str) -> str:
    """`prompt` without its last paragraph that says which JSON is to be answered."""
    asked = list(_ANSWER.finditer(prompt))
    if not asked:
        return prompt
    start = prompt.rfind("\n\n", 0, asked[-1].start()) + 1
    return prompt[:start].rstrip()


def without_examples(text: str, key: str) -> str:
    """`text` without the objects in it that hold `key`: they show what is to be answered, and are no answer."""
    for found in reversed(list(re.finditer(rf'\{{\s*"{re.escape(key)}"\s*:', text))):
        start = found.start()
        end = start + len(_balanced(text, start)) + 2
        text = f"{text[:start]}{text[end:]}"
    return text


def _with_choices(shape: dict[str, Any], text: str) -> dict[str, Any]:
    """`shape`, in which a placeholder that `text` says the choices of takes one of them."""
    found = _WHERE.search(text)
    if found is None:
        return shape
    rows = [row.removeprefix("- ").partition(": ")[0] for row in found[3].strip().splitlines()]
    names = [name.strip() for name in rows or found[2].split(", ")]
    sample = re.compile(rf'"([^"]+)"\s*:\s*"<{re.escape(found[1])}>"')
    chosen = {key: {"type": "string", "enum": names} for key in sample.findall(text)}
    return {**shape, "properties": {**shape.get("properties", {}), **chosen}}


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _schema(text: str, start: int) -> dict[str, Any] | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    is_schema = isinstance(value, dict) and value.get("type") == "object" and isinstance(value.get("properties"), dict)
    return value if is_schema else None


def _balanced(text: str, start: int) -> str:
    """The text between a bracket and its partner, brackets left out; strings are not looked into."""
    depth = 0
    for place in range(start, min(len(text), start + 4_000)):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place]
    return text[start + 1 : start + 4_000]


def _object(inside: str, depth: int) -> dict[str, Any]:
    properties: dict[str, Mapping[str, Any]] = {}
    place = 0
    while key := _KEY.search(inside, place):
        properties[key.group(1)], place = _placeholder(inside, key.end(), depth)
    return _of(properties)


def _of(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _placeholder(inside: str, start: int, depth: int) -> tuple[dict[str, Any], int]:
    """The schema that the sample value at `start` stands for, and where the value ends."""
    opening = inside[start : start + 1]
    if opening in ("{", "["):
        content = _balanced(inside, start)
        end = start + len(content) + 2
        if depth >= _DEPTH:
            return {}, end
        if opening == "{":
            return _object(content, depth + 1), end
        return {"type": "array", "items": _object(content, depth + 1) if "{" in content else _scalar(content)}, end
    quoted = re.compile(r"\"((?:[^\"\\]|\\.){0,400})\"").match(inside, start)
    if quoted:
        return _scalar(quoted.group()), quoted.end()
    bare = re.compile(r"[^,}\]\n]*").match(inside, start)
    assert bare is not None
    return _scalar(bare.group()), bare.end()


def _scalar(sample: str) -> dict[str, Any]:
    text = sample.strip()
    bare = text.strip('"<> .')
    if text.startswith('"') and "|" in bare:
        return {"type": "string", "enum": [part.strip() for part in bare.split("|")]}
    if re.fullmatch(r"(?:true|false)(?:\s*(?:\||/|or)\s*(?:true|false))?|bool(?:ean)?", bare, re.IGNORECASE):
        return {"type": "boolean"}
    if re.search(r"\b(?:int(?:eger)?|whole number)\b", bare, re.IGNORECASE) and not text.startswith('"'):
        return {"type": "integer"}
    ranged = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:-|–|to|\.\.)\s*(\d+(?:\.\d+)?)", bare)
    if ranged and not text.startswith('"'):
        return {"type": "number", "minimum": float(ranged.group(1)), "maximum": float(ranged.group(2))}
    if not text.startswith('"') and re.fullmatch(r"[-+]?\d+(?:\.\d+)?|number|float|num", bare, re.IGNORECASE):
        return {"type": "number"}
    return {"type": "string"}
