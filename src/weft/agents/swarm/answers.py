"""What agents meant: answers read as JSON, wherever it stands, or as plain words."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.core.errors import from_json

Json = Any

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_LONGEST = 200_000
_STARTS = 50
_PHRASE = 200
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Heard:
    """What one member answered; `response` is None when it failed or was not asked."""

    member: str
    agent: str
    weight: float
    response: Json


def heard(seats: Sequence[Mapping[str, Json]], asked: Mapping[str, Json]) -> Iterator[Heard]:
    """Every member in declared order, with its answer out of `asked`, the values of the node that asked them."""
    check_failures(asked)
    for seat in seats:
        values = asked.get(seat["name"])
        if "count" not in seat:
            yield Heard(seat["name"], seat["agent"], seat["weight"], response_of(values))
            continue
        for place, member in enumerate(ids(seat)):
            value = values[place] if isinstance(values, list) and place < len(values) else None
            yield Heard(member, seat["agent"], seat["weight"], response_of(value))


def check_failures(asked: Mapping[str, Json]) -> None:
    """Let a budget that is used up end the group's work, and the failure of everybody who was asked.

    Raises:
        WeftError: of one of them.
    """
    values = [
        value for each in asked.values() for value in (each if isinstance(each, list) else [each]) if value is not None
    ]
    failures = [value["error"] for value in values if isinstance(value, Mapping) and value.get("status") == "failed"]
    spent = next((error for error in failures if error.get("code") == "budget"), None)
    if spent is None and failures and len(failures) == len(values):
        spent = failures[0]
    if spent is not None:
        raise from_json(spent)


def ids(seat: Mapping[str, Json]) -> list[str]:
    """The names of the members that share a seat."""
    if "count" not in seat:
        return [str(seat["name"])]
    return [f"{seat['name']}-{number}" for number in range(1, seat["count"] + 1)]


def response_of(value: Json) -> Json:
    """What the value of an agent call says: the data of an answer in a form, or its words; None when it failed."""
    if not isinstance(value, Mapping) or value.get("status") == "failed":
        return None
    data = value.get("data")
    return value.get("response") if data is None else data


def as_object(response: Json) -> Mapping[str, Json] | None:
    """The JSON object that a response is, or holds: whole, in a fence, or somewhere in the text."""
    if isinstance(response, Mapping):
        return response
    if not isinstance(response, str):
        return None
    text = response[:_LONGEST]
    for part in (text, *_FENCE.findall(text)):
        found = _parsed(part.strip())
        if found is not None:
            return found
    start = text.find("{")
    for _ in range(_STARTS):
        if start < 0:
            return None
        try:
            value, _end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value
        start = text.find("{", start + 1)
    return None


def _parsed(text: str) -> dict[str, Json] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def said(response: Json, *names: str) -> str:
    """The text under the first of `names` that the answer has, or the whole of a plain answer."""
    found = as_object(response)
    if found is not None:
        for name in names:
            value = found.get(name)
            if isinstance(value, (str, int, float)):
                return str(value).strip()
        if isinstance(response, Mapping):
            return ""
    return response.strip() if isinstance(response, str) else ""


def normal(text: str) -> str:
    """`text` as it is compared: without case, punctuation, accents of form and more than single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(char if char.isalnum() else " " for char in folded).split())


def choice_of(response: Json, choices: Sequence[str] | None, *names: str) -> str | None:
    """The choice that an answer makes, or None when it makes none, or several.

    Without `choices` any text counts, as its first line, and answers that differ only in form are told apart by `normal`.
    """
    text = said(response, *names)
    if choices is None:
        line = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return line[:_PHRASE] if normal(line) else None
    plain = normal(text)
    by_form = {normal(choice): choice for choice in reversed(choices)}
    if plain in by_form:
        return by_form[plain]
    padded = f" {plain} "
    named = [(form, choice) for form, choice in by_form.items() if form and f" {form} " in padded]
    # One choice may be part of another: "yes" of "yes with changes".
    longest = [one for one in named if not any(one[0] != other[0] and one[0] in other[0] for other in named)]
    return longest[0][1] if len(longest) == 1 else None
