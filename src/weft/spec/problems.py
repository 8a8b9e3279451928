"""What the models say about a document, as problems with places and advice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from weft.core.errors import Place, Problem
from weft.spec.model.base import Section
from weft.spec.model.late import Late
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.spec.tree import Source

MAX_PROBLEMS = 200
Pointer = tuple[str | int, ...]

_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a map",
    "list_type": "a list",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "int_from_float": "a whole number",
}
_FORMS = {
    r"^https?://\S+$": "an address that starts with http:// or https://",
    r"^[A-Za-z0-9._:-]+$": "an id of letters, digits and . _ : -",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "a name of letters, digits and . _ -",
    r"^[a-z0-9][a-z0-9._-]*$": "a tag of small letters, digits and . _ -",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "a name of letters, digits and _",
    r"^[A-Za-z_][A-Za-z0-9_.:-]*$": "a name of letters, digits and _ . : -",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
CHOICES = {"literal_error", "union_tag_invalid"}


def structure_problems(error: ValidationError, data: Any, source: Source) -> list[Problem]:
    """One problem for each place that `error` complains about, in the order of the file; the first `MAX_PROBLEMS` of them."""
    found: dict[tuple[Pointer, bool], list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        # What is wrong with a key is told apart from what is wrong with its value.
        found.setdefault((pointer_of(detail, data), detail["loc"][-1:] == ("[key]",)), []).append(detail)
    first = sorted(found, key=lambda each: _position(source.place(each[0])))[:MAX_PROBLEMS]
    return [(_key_problem if key else _problem)(pointer, found[pointer, key], source) for pointer, key in first]


def _position(place: Place) -> tuple[int, int]:
    return place.line or 0, place.column or 0


def value_at(data: Any, pointer: Pointer) -> Any:
    """What stands at `pointer`, None if nothing does."""
    for part in pointer:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def pointer_of(detail: ErrorDetails, data: Any) -> Pointer:
    """Where `detail` is in `data`: its place without the names of union members that Pydantic puts in between.

    A key that is missing stays.
    """
    pointer: list[str | int] = []
    loc = detail["loc"]
    for place, part in enumerate(loc):
        if _stands(data, part):
            data = data[part]
        elif place < len(loc) - 1 or detail["type"] != "missing":
            continue
        pointer.append(part)
    return tuple(pointer)


def _stands(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data and not (isinstance(part, str) and part.startswith("<"))
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _key_problem(pointer: Pointer, details: list[ErrorDetails], source: Source) -> Problem:
    form = _FORMS.get(str(details[0].get("ctx", {}).get("pattern")), "text of another form")
    return source.problem("wrong-value", pointer, f"the key {_name(pointer)!r} must be {form}", f"write {form}")


def _problem(pointer: Pointer, details: list[ErrorDetails], source: Source) -> Problem:
    detail = details[0]
    kind = detail["type"]
    name = _name(pointer)
    if kind == "extra_forbidden":
        known = _known_keys(detail["loc"])
        return source.problem("unknown-key", pointer, f"unknown key {name!r}", did_you_mean(name, known))
    if kind in {"missing", "union_tag_not_found"}:
        missing = (*pointer, "type") if kind != "missing" else pointer
        return source.problem("missing-key", missing, f"the key {missing[-1]!r} is missing", f"add {missing[-1]!r}")
    if kind in CHOICES:
        return _choice(pointer, detail, source)
    if expected := [_TYPES[each["type"]] for each in details if each["type"] in _TYPES]:
        if "a number" in expected:
            expected = [each for each in expected if each != "a whole number"]
        what = " or ".join(dict.fromkeys(expected))
        message = f"{name!r} must be {what}, not {_shown(detail['input'])}"
        return source.problem("wrong-type", pointer, message, f"write {what}")
    if kind == "string_pattern_mismatch":
        form = _FORMS.get(str(detail["ctx"]["pattern"]), "text of another form")
        message = f"{name!r} must be {form}, not {_shown(detail['input'])}"
        return source.problem("wrong-value", pointer, message, f"write {form}")
    said, fix = _bound(detail) or _said(detail)
    return source.problem("wrong-value", pointer, f"{name!r} {said}", fix)


def _said(detail: ErrorDetails) -> tuple[str, str]:
    said = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"{said}, not {_shown(detail['input'])}", "change the value"


def _bound(detail: ErrorDetails) -> tuple[str, str] | None:
    """What is said of a number or a length beyond its bound, and what to do."""
    context, kind = detail.get("ctx", {}), detail["type"]
    for key, words in _BOUNDS.items():
        if key in context:
            form = f"{words} {context[key]:g}"
            return f"must be {form}, not {_shown(detail['input'])}", f"write a number that is {form}"
    if kind == "string_too_short":
        return "must not be empty", "write some text"
    if kind == "too_short":
        least, there = context["min_length"], context["actual_length"]
        entries = "entry" if least == 1 else "entries"
        return f"must have at least {least} {entries}, and has {there or 'none'}", f"give it at least {least} {entries}"
    if kind in {"too_long", "string_too_long"}:
        return f"is too long: at most {context['max_length']}", "make it shorter"
    return None


def _name(pointer: Pointer) -> str:
    """What a message calls the place: its key, or its list and its place in there."""
    if not pointer:
        return "the document"
    last = pointer[-1]
    return last if isinstance(last, str) else f"{pointer[-2]}[{last}]"


def _choice(pointer: Pointer, detail: ErrorDetails, source: Source) -> Problem:
    possible = choices(detail)
    if detail["type"] == "union_tag_invalid":
        pointer = (*pointer, "type")
        value = str(detail.get("ctx", {}).get("tag", ""))
    else:
        value = str(detail["input"])
    message = f"{_name(pointer)!r} cannot be {_shown(value)}; expected one of {', '.join(possible)}"
    return source.problem("wrong-value", pointer, message, did_you_mean(value, possible, noun="possible"))


def choices(detail: ErrorDetails) -> list[str]:
    """What could stand there."""
    context = detail.get("ctx", {})
    expected = str(context.get("expected") or context.get("expected_tags", ""))
    return [part for part in expected.replace(" or ", ", ").replace("'", "").split(", ") if part]


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a map" if isinstance(value, dict) else "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _known_keys(loc: Sequence[str | int]) -> list[str]:
    """The keys of the section in which the last part of `loc` is unknown."""
    annotation: Any = Workflow
    for part in loc[:-1]:
        annotation = _inside(annotation, part)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [field.alias or name for name, field in annotation.model_fields.items()]
    return []


def _inside(annotation: Any, part: str | int) -> Any:
    """The type of `part` inside a value of the type `annotation`; a union member when `part` is its tag."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        field = next(
            (field for name, field in annotation.model_fields.items() if (field.alias or name) == part),
            None,
        )
        return _bare(_late(field.metadata) or field.annotation) if field else None
    arguments = get_args(annotation)
    members = [member for member in arguments if member is not type(None)]
    for member in members:
        if _tag(member) == part:
            return _bare(member)
    return _bare(members[-1]) if members else None


def _bare(annotation: Any) -> Any:
    """`annotation` without its metadata, and without ``None`` when that leaves one member."""
    while hasattr(annotation, "__metadata__"):
        annotation = _late(annotation.__metadata__) or get_args(annotation)[0]
    members = [member for member in get_args(annotation) if member is not type(None)]
    if len(members) == 1 and type(None) in get_args(annotation):
        return _bare(members[0])
    return annotation


def _late(metadata: Iterable[Any]) -> Any:
    """What stands for the annotation with this metadata, when a later module had to say it."""
    return next((item.annotation for item in metadata if isinstance(item, Late)), None)


def _tag(member: Any) -> str | None:
    for item in getattr(member, "__metadata__", ()):
        if tag := getattr(item, "tag", None):
            return str(tag)
    if isinstance(member, type) and issubclass(member, Section) and "type" in member.model_fields:
        values = get_args(member.model_fields["type"].annotation)
        return str(values[0]) if values else None
    return None
