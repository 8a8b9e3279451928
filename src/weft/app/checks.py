"""Tests of agents: cases in a ``tests.yaml``, each an input and what is expected of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weft.core.canonical import dumps
from weft.core.errors import SpecError
from weft.spec.files import read_source
from weft.spec.tree import plain_data

TESTS = "tests.yaml"
_KINDS = ("has_keys", "max_length", "contains")
_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is expected: `kind` with its `value`, of the whole answer or of its `field`."""

    kind: str
    value: Any
    field: str = ""

    def failure(self, answer: Any) -> str:
        """Why `answer` is not what is expected; empty when it is."""
        if self.field:
            if not isinstance(answer, Mapping) or self.field not in answer:
                return f"there is no {self.field!r} in the answer"
            answer = answer[self.field]
        if self.kind == "has_keys":
            missing = [key for key in self.value if not isinstance(answer, Mapping) or key not in answer]
            return f"it lacks {', '.join(map(str, missing))}" if missing else ""
        text = answer if isinstance(answer, str) else dumps(answer).decode()
        if self.kind == "max_length":
            size = len(answer) if isinstance(answer, (str, list)) else len(text)
            return f"it is {size} long, more than {self.value}" if size > self.value else ""
        wanted = self.value if isinstance(self.value, list) else [self.value]
        lacking = [str(one) for one in wanted if str(one).lower() not in text.lower()]
        return f"it does not contain {', '.join(one[:_SHOWN] for one in lacking)}" if lacking else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test. `given` is the input, or the file that it is in; `schema` what the answer is held to (true: the agent's own)."""

    name: str
    given: Any
    schema: Any = None
    checks: tuple[Check, ...] = field(default=())


def read_cases(file: Path) -> list[Case]:
    """The cases in a file: a list, or a map with the list under ``tests`` or ``cases``.

    Raises:
        SpecError: it cannot be read, or a case is wrong.
    """
    data = plain_data(read_source(file).root)
    if isinstance(data, dict):
        data = data.get("tests", data.get("cases"))
    if not isinstance(data, list) or not data:
        raise _wrong(file, "it holds no list of tests")
    return [_case(file, place, one) for place, one in enumerate(data)]


def _case(file: Path, place: int, data: Any) -> Case:
    if not isinstance(data, dict) or not isinstance(data.get("name"), str) or "input" not in data:
        raise _wrong(file, f"test {place} needs a name and an input")
    expect = data.get("expect") or {}
    if not isinstance(expect, dict) or set(expect) - {"output_schema", "checks"}:
        raise _wrong(file, f"`expect` of {data['name']!r} holds output_schema and checks")
    checks = expect.get("checks") or []
    if not isinstance(checks, list):
        raise _wrong(file, f"`checks` of {data['name']!r} is a list")
    made = tuple(check for one in checks for check in _checks(file, data["name"], one))
    return Case(name=data["name"], given=data["input"], schema=expect.get("output_schema"), checks=made)


def _checks(file: Path, name: str, data: Any) -> Iterator[Check]:
    """A check as ``{kind: value}``, or as ``{type: kind, value: …}`` with the value under any of its usual names."""
    if not isinstance(data, dict):
        raise _wrong(file, f"a check of {name!r} is a map such as `contains: text`")
    kinds = [str(data["type"])] if "type" in data else [kind for kind in _KINDS if kind in data]
    if not kinds or set(kinds) - set(_KINDS):
        raise _wrong(file, f"a check of {name!r} is none of {', '.join(_KINDS)}")
    for kind in kinds:
        value = next((data[key] for key in (kind, "value", "keys", "max", "text") if key in data), None)
        right = {"has_keys": isinstance(value, list), "max_length": isinstance(value, int)}.get(kind, value is not None)
        if not right:
            raise _wrong(file, f"the check {kind!r} of {name!r} has no value that fits")
        yield Check(kind=kind, value=value, field=str(data.get("field") or ""))


def _wrong(file: Path, message: str) -> SpecError:
    return SpecError(
        f"{file}: {message}",
        fix="write a list of {name, input, expect: {output_schema, checks}}; docs/agents.md has one",
    )
