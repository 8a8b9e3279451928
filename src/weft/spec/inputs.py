"""From what a caller gives to what a run is given: types, defaults, enums, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.canonical import strict_loads
from weft.core.errors import InputError, Place, Problem
from weft.spec.model.inputs import InputField, Inputs
from weft.spec.model.workflow import Workflow
from weft.spec.suggest import did_you_mean
from weft.spec.tree import to_pointer
from weft.spec.values import misfit

_NUMBER = re.compile(r"[-+]?(\d{1,300}(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")
_WHOLE = re.compile(r"[-+]?\d{1,300}")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_MAX_TEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class ResolvedInputs:
    """The values of a run by name, and what is odd about them without being wrong."""

    values: dict[str, Any]
    warnings: tuple[Problem, ...] = field(default=())


def own_values(workflow: Workflow) -> dict[str, Any]:
    """The inputs that a file gives itself: its values, and the defaults of what it declares."""
    return _own(workflow.inputs)


def _own(inputs: Inputs) -> dict[str, Any]:
    defaults = {name: entry.default for name, entry in inputs.declared().items() if entry.default is not None}
    return defaults | dict(inputs.values)


def resolve_inputs(workflow: Workflow, variables: Mapping[str, Any]) -> ResolvedInputs:
    """The inputs of a run of `workflow`; see `resolve`."""
    return resolve(workflow.inputs, variables)


def resolve(inputs: Inputs, variables: Mapping[str, Any]) -> ResolvedInputs:
    """The inputs of a run: the file's own values and defaults, and over them what the caller gives.

    Text for an input of another type is read as that type, as it comes from a command line: ``true``, ``3.5``, or JSON for
    lists and maps. Names that the file does not declare are passed on, with a warning.

    Raises:
        InputError: required values are missing or values do not fit; ``ids["problems"]`` lists all of them.
    """
    declared = inputs.declared()
    problems: list[Problem] = []
    warnings: list[Problem] = []
    values = _own(inputs)
    for name, given in variables.items():
        entry = declared.get(name)
        if entry is None:
            values[name] = given
            if name not in inputs.values:
                warnings.append(_undeclared(name, inputs))
        elif (value := _typed(given, entry)) is _NOT:
            problems.append(_problem(name, f"{name!r} {_unreadable(given, entry)}", f"give {_example(entry)}"))
        elif why := misfit(value, entry):
            problems.append(_problem(name, f"{name!r} {why}", f"give {_example(entry)}"))
        else:
            values[name] = value
    for name in inputs.required:
        if name not in values and name not in variables:
            what = f" ({declared[name].description})" if declared[name].description else ""
            message = f"the required input {name!r}{what} is missing"
            problems.append(_problem(name, message, f"add --var {name}=…"))
    if problems:
        raise _error(problems)
    return ResolvedInputs(values, tuple(warnings))


def missing_inputs(workflow: Workflow, variables: Mapping[str, Any]) -> dict[str, InputField]:
    """The required inputs that have neither a value nor a default."""
    return missing(workflow.inputs, variables)


def missing(inputs: Inputs, variables: Mapping[str, Any]) -> dict[str, InputField]:
    """The required ones of `inputs` that have neither a value nor a default."""
    declared = inputs.declared()
    return {
        name: declared[name]
        for name in inputs.required
        if name not in variables and name not in inputs.values and declared[name].default is None
    }


_NOT = object()


def _typed(given: Any, entry: InputField) -> Any:
    """`given` read as the type of `entry` when it is text; `_NOT` when it cannot be."""
    if not isinstance(given, str) or entry.type == "string":
        return given
    text = given.strip()
    if entry.type == "boolean":
        return _BOOLEANS.get(text.lower(), _NOT)
    if entry.type == "integer":
        return int(text) if _WHOLE.fullmatch(text) else _NOT
    if entry.type == "number":
        return _number(text)
    return _structure(text)


def _number(text: str) -> Any:
    if not _NUMBER.fullmatch(text):
        return _NOT
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        return _NOT
    return int(text) if _WHOLE.fullmatch(text) else value


def _structure(text: str) -> Any:
    if len(text) > _MAX_TEXT:
        return _NOT
    try:
        return strict_loads(text)
    except (ValueError, RecursionError):
        return _NOT


def _unreadable(given: Any, entry: InputField) -> str:
    shown = repr(given)
    return f"cannot be read as {entry.type}: {shown if len(shown) <= 40 else shown[:37] + '…'}"


def _example(entry: InputField) -> str:
    if entry.enum:
        return f"one of {', '.join(str(each) for each in entry.enum[:12])}"
    return {
        "string": "text",
        "number": "a number such as 2.5",
        "integer": "a whole number such as 3",
        "boolean": "true or false",
        "array": 'a list as JSON, such as ["a", "b"]',
        "object": 'a map as JSON, such as {"a": 1}',
    }[entry.type]


def _undeclared(name: str, inputs: Inputs) -> Problem:
    near = did_you_mean(name, inputs.names(), noun="declared")
    return Problem(
        rule="undeclared-input",
        message=f"the workflow does not declare the input {name!r}",
        fix=f"declare it under `inputs.optional`; {near}",
        place=Place(pointer="/inputs"),
        severity="warning",
    )


def _problem(name: str, message: str, fix: str) -> Problem:
    return Problem(rule="input", message=message, fix=fix, place=Place(pointer=to_pointer(("inputs", name))))


def _error(problems: list[Problem]) -> InputError:
    message = "; ".join(problem.message for problem in problems[:20])
    fix = "; ".join(dict.fromkeys(problem.fix for problem in problems[:20]))
    return InputError(message, fix=fix, problems=[problem.as_json() for problem in problems])
