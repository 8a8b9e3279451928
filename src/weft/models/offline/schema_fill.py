"""Filling: a value for a JSON Schema, made from the text of a request and checked before it is called complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from weft.core.patterns import Patience, PatternError
from weft.models.offline import fields
from weft.models.offline.brief import Brief
from weft.models.offline.evidence import DATE, FORMATS, NUMBER, Evidence, iso_date, number
from weft.models.offline.fields import Field
from weft.models.offline.find import matching
from weft.models.offline.options import Option, choose, find_options, hinted
from weft.models.offline.rank import central
from weft.models.offline.schema_check import MAX_DEPTH, Schema, resolve, satisfies
from weft.models.offline.sentences import Sentence
from weft.models.offline.words import name_terms, stem

_ABSENT: Final = object()
_MANY = 20
_FEW = 5
_CANDIDATES = 200
_BUDGET = 2_000
_HINTS = 20_000
"""Characters of a text in which it is looked for what an option is for."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of a schema. `complete` promises that `value` is valid; `missing` points to what the text does not hold."""

    value: Any
    complete: bool
    missing: tuple[str, ...] = ()


def fill_schema(schema: Schema, brief: Brief) -> Filled:
    """A value for `schema` from the text of `brief`.

    Numbers, dates and addresses are found, never made up: what the text does not hold is null where the schema allows it,
    left out where it does not, and listed in `missing`. A choice (enum) always falls on an option.
    """
    root = resolve(schema, schema) or {}
    if any(stem("score") in name_terms(name) for name in root.get("properties", {})):
        brief = replace(brief, intent="score")
    filler = _Filler(schema, brief)
    value = filler.value(schema, "", "", Evidence(brief.units or _asked(brief), brief.raw), 0)
    if value is _ABSENT:
        return Filled(None, complete=False, missing=("",))
    return Filled(value, satisfies(value, schema, schema), tuple(filler.missing))


def _asked(brief: Brief) -> list[Sentence]:
    return [Sentence(line.strip(), i, first=i == 0) for i, line in enumerate(brief.ask.splitlines()) if line.strip()]


@dataclass
class _Filler:
    root: Schema
    brief: Brief
    missing: list[str] = field(default_factory=list)
    _spent: int = 0

    def value(self, schema: Any, name: str, pointer: str, evidence: Evidence, depth: int) -> Any:
        """A value for one schema node, or `_ABSENT`."""
        self._spent += 1
        found = resolve(schema, self.root)
        if found is None or depth > MAX_DEPTH or self._spent > _BUDGET:
            return _ABSENT
        if "const" in found:
            return found["const"]
        if "allOf" in found:
            found = self._merged(found)
        if "enum" in found:
            return self._enum(found, name, evidence)
        for key in ("anyOf", "oneOf"):
            if key in found:
                return self._any(found, key, name, pointer, evidence, depth)
        kinds = found.get("type", _implied(found))
        if isinstance(kinds, list):
            branches = [{**found, "type": kind} for kind in kinds]
            return self._any({"anyOf": branches}, "anyOf", name, pointer, evidence, depth)
        value = self._typed(kinds, found, name, pointer, evidence, depth)
        return found["default"] if value is _ABSENT and "default" in found else value

    def _typed(self, kind: str, schema: Schema, name: str, pointer: str, evidence: Evidence, depth: int) -> Any:
        place = Field(name, str(schema.get("description", "")), self.brief, evidence)
        fill: Mapping[str, Callable[[], Any]] = {
            "object": lambda: self._object(schema, pointer, evidence, depth),
            "array": lambda: self._array(schema, place, pointer, depth),
            "string": lambda: self._string(schema, place),
            "integer": lambda: self._number(schema, place, whole=True),
            "number": lambda: self._number(schema, place, whole=False),
            "boolean": lambda: fields.boolean(place),
            "null": lambda: None,
        }
        return fill[kind]() if kind in fill else _ABSENT

    def _merged(self, schema: Schema) -> Schema:
        whole: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            found = resolve(part, self.root) or {}
            whole["properties"] = {**whole.get("properties", {}), **found.get("properties", {})}
            whole["required"] = [*whole.get("required", []), *found.get("required", [])]
            whole |= {key: value for key, value in found.items() if key not in ("properties", "required")}
        return {
            key: value for key, value in whole.items() if value not in ({}, []) or key not in ("properties", "required")
        }

    def _enum(self, schema: Schema, name: str, evidence: Evidence) -> Any:
        values = list(schema["enum"])
        given = next((v for v in evidence.keyed(name) if v in values), None)
        if given is not None:
            return given
        about = {o.name.lower(): o.about for o in find_options(self.brief.ask) or find_options(self.brief.role)}
        named = [value for value in values if value is not None]
        if not named:
            return values[0] if values else _ABSENT
        said = "\n".join((self.brief.ask, self.brief.raw[:_HINTS], self.brief.role))
        options = [Option(str(v), about.get(str(v).lower()) or hinted(str(v), said)) for v in named]
        label = (evidence.labelled(name) or "").lower()
        # What names several of them is an offer.
        exact = [value for value in named if str(value).lower() in label]
        if len(exact) == 1 and label.startswith(str(exact[0]).lower()):
            return exact[0]
        chosen, share = choose(options, "\n".join(unit.text for unit in evidence.units))
        if share == 0:
            chosen, _ = choose(options, self.brief.ask)
        return named[options.index(chosen)]

    def _any(self, schema: Schema, key: str, name: str, pointer: str, evidence: Evidence, depth: int) -> Any:
        branches = [(raw, resolve(raw, self.root) or {}) for raw in schema[key]]
        before, nullable = len(self.missing), any(found.get("type") == "null" for _, found in branches)
        about = schema.get("description")
        for raw, found in branches:
            if found.get("type") == "null":
                continue
            described = {"description": about, **found} if about else raw
            value = self.value(described, name, pointer, evidence, depth + 1)
            if value is not _ABSENT and satisfies(value, raw, self.root):
                return value
            del self.missing[before:]
        if "default" in schema:
            return schema["default"]
        return None if nullable else _ABSENT

    def _object(self, schema: Schema, pointer: str, evidence: Evidence, depth: int) -> Any:
        given = next(
            (o for o in evidence.objects if schema.get("properties") and satisfies(o, schema, self.root)), None
        )
        if given is not None and evidence.objects:
            return given
        filled: dict[str, Any] = {}
        required = schema.get("required", [])
        for name, sub in schema.get("properties", {}).items():
            spot = f"{pointer}/{name}"
            before = len(self.missing)
            value = self.value(sub, name, spot, evidence, depth + 1)
            if value is _ABSENT or not (name in required or satisfies(value, sub, self.root)):
                del self.missing[before:]
                if name in required:
                    self.missing.append(spot)
            else:
                filled[name] = value
        return filled

    def _array(self, schema: Schema, place: Field, pointer: str, depth: int) -> Any:
        most = min(int(schema.get("maxItems", _MANY)), _MANY)
        least = min(int(schema.get("minItems", 0)), _MANY)
        items = resolve(schema.get("items", {}), self.root)
        if items is None or "prefixItems" in schema:
            return [] if least == 0 else _ABSENT
        given = next((v for v in place.evidence.keyed(place.name) if isinstance(v, list)), None)
        if given and satisfies(given, schema, self.root):
            return given
        found = list(self._items(items, place, pointer, most, max(least, min(most, self.brief.limit or _FEW)), depth))
        if schema.get("uniqueItems"):
            found = [item for i, item in enumerate(found) if item not in found[:i]]
        return found[:most] if len(found) >= least else _ABSENT

    def _items(self, items: Schema, place: Field, pointer: str, most: int, usual: int, depth: int) -> Iterator[Any]:
        kind = items.get("type", _implied(items))
        about = replace(place, about=f"{place.about} {items.get('description', '')}".strip())
        if "enum" in items:
            said = {t for unit in place.evidence.units for t in name_terms(unit.text)}
            yield from (v for v in items["enum"] if set(name_terms(str(v))) and set(name_terms(str(v))) <= said)
        elif kind == "object":
            yield from self._records(items, about, pointer, most, usual, depth)
        elif kind == "string" and items.get("format") in FORMATS:
            pattern, write = FORMATS[items["format"]]
            yield from dict.fromkeys(v for m in place.evidence.every(pattern) if (v := write(m)) is not None)
        elif kind == "string":
            for text in fields.lists(about, usual):
                fitted = fields.shorten(text, int(items.get("maxLength", len(text))))
                if satisfies(fitted, items, self.root):
                    yield fitted
        elif kind in ("integer", "number"):
            values = (number(match) for match in place.evidence.every(NUMBER))
            yield from (v for v in values if satisfies(v, items, self.root))

    def _records(self, items: Schema, place: Field, pointer: str, most: int, usual: int, depth: int) -> Iterator[Any]:
        before = len(self.missing)
        for count, units in enumerate(_groups(items, place, most, usual)):
            local = Evidence(units)
            value = self.value(items, place.name, f"{pointer}/{count}", local, depth + 1)
            del self.missing[before:]
            if value is not _ABSENT and satisfies(value, items, self.root):
                yield value

    def _string(self, schema: Schema, place: Field) -> Any:
        limit = schema.get("maxLength")
        for text in self._texts(schema, place):
            fitted = fields.shorten(text, int(limit)) if limit is not None else text
            if satisfies(fitted, {k: v for k, v in schema.items() if k != "default"}, self.root):
                return fitted
        if "default" in schema:
            return _ABSENT
        return "" if satisfies("", schema, self.root) else _ABSENT

    def _texts(self, schema: Schema, place: Field) -> Iterator[str]:
        shape = schema.get("format")
        if shape in FORMATS:
            pattern, write = FORMATS[shape]
            yield from (v for m in place.evidence.near(place.name, place.about, pattern) if (v := write(m)))
            yield from (v for m in place.evidence.every(pattern) if (v := write(m)))
            return
        if "pattern" in schema:
            yield from _by_pattern(schema["pattern"], place)
            return
        if place.named("email", "mail", "url", "link", "website", "homepage", "date", "deadline", "day"):
            yield from _by_name(place)
        yield from fields.strings(place)

    def _number(self, schema: Schema, place: Field, *, whole: bool) -> Any:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        for value in fields.numbers(place, low, high, whole=whole):
            fitted = int(value) if float(value).is_integer() else value
            if satisfies(fitted, schema, self.root):
                return fitted
        return _ABSENT


def _implied(schema: Schema) -> str:
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _by_name(place: Field) -> Iterator[str]:
    shape = (
        "email" if place.named("email", "mail") else "uri" if place.named("url", "link", "website", "homepage") else ""
    )
    if shape:
        pattern, _ = FORMATS[shape]
        matches = [*place.evidence.near(place.name, place.about, pattern), *place.evidence.every(pattern)]
        yield from (match.group() for match in matches)
        return
    matches = [*place.evidence.near(place.name, place.about, DATE), *place.evidence.every(DATE)]
    yield from (day for match in matches if (day := iso_date(match)))


def _by_pattern(source: Any, place: Field) -> Iterator[str]:
    label = place.evidence.labelled(place.name)
    texts = [label] if label else []
    texts += [word.strip(".,;:()[]\"'") for unit in place.evidence.units[:_CANDIDATES] for word in unit.text.split()]
    patience = Patience()
    try:
        yield from [text for text in texts[: 10 * _CANDIDATES] if patience.search(source, text[:200])]
    except (PatternError, TypeError):
        return


_PASSAGES = (
    "quote",
    "claim",
    "fact",
    "statement",
    "sentence",
    "evidence",
    "excerpt",
    "point",
    "finding",
    "text",
    "summary",
)


def _groups(items: Schema, place: Field, most: int, usual: int) -> list[list[Sentence]]:
    """The parts of the text that one record each can be made of: rows, list items, sources, or single sentences."""
    properties: Mapping[str, Any] = items.get("properties", {})
    units = place.evidence.units
    wanted = [set(name_terms(name)) for name in properties]
    rows = [
        u
        for u in units
        if u.kind == "row" and sum(bool(w & set(name_terms(u.text))) for w in wanted) >= min(2, len(wanted))
    ]
    if rows:
        return [[row] for row in rows[:most]]
    passages = any(set(name_terms(name)) & set(name_terms(" ".join(_PASSAGES))) for name in properties)
    listed = [u for u in units if u.kind == "item"]
    if len(listed) > 1 and not (passages and len(listed) < 0.6 * len(units)):
        return [[item] for item in listed[:most]]
    if passages:
        question = place.brief.question if place.brief.intent == "question" else ""
        hits = [hit.sentence for hit in matching(units, question, limit=usual)] if question else []
        return [[unit] for unit in hits or central(units, limit=usual, focus=place.about)]
    sources: dict[str, list[Sentence]] = {}
    for unit in units:
        sources.setdefault(unit.source, []).append(unit)
    if len(sources) > 1:
        return list(sources.values())[:most]
    return [[unit] for unit in central(units, limit=usual, focus=f"{place.name} {place.about}")]
