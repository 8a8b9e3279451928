"""What an open gate asks, as a JSON Schema of its answer, and what a caller's answer in that form means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.app.serving.places import MAX_RUNS, family
from weft.core.canonical import dumps
from weft.core.errors import InputError
from weft.engine.questions import Answer, assignees
from weft.store.gates import Gate
from weft.store.journal import Journal

_TEXTS = ("choice", "response", "why")
_PRIMITIVE = frozenset({"string", "number", "integer", "boolean"})
_FACETS = (
    "type",
    "title",
    "description",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
)
"""What a form of single fields can say of one of them."""


def open_gates(journal: Journal, run_id: str) -> list[Gate]:
    """The open gates of a run and of the runs below it, in the order in which they were opened."""
    runs = family(journal, run_id, under_way=True)
    found = [gate for one in runs for gate in journal.gates.of(one) if gate.status == "open"]
    return sorted(found, key=lambda gate: (gate.opened_at, gate.id))


def gate_of(journal: Journal, gate_id: str, *, tenant: str) -> Gate:
    """The gate with this id, if it is the tenant's; what is not theirs is not there.

    Raises:
        NotFoundError: there is none.
    """
    return journal.gates.get(gate_id, tenant=tenant)


def root_of(journal: Journal, run_id: str) -> str:
    """The run that nobody has started but a person or a program, above this one."""
    for _ in range(MAX_RUNS):
        parent = journal.runs.get(run_id).parent
        if parent is None:
            break
        run_id = parent
    return run_id


def asks(gate: Gate, principal: str, at: int) -> bool:
    """Whether `principal` is among those whom the gate asks at `at`."""
    named = assignees(gate.request, at)
    return not named or principal in named


def answer_schema(request: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer has to look like: an object of ``choice``, ``response``, ``values`` and ``why``, as far as they apply."""
    properties: dict[str, Any] = {}
    required = []
    choices, form = list(request.get("choices") or ()), request.get("form")
    if choices:
        properties["choice"] = {"type": "string", "enum": choices}
        required.append("choice")
    if form is not None:
        given = request.get("given")
        said = "The arguments, changed where they should be." if given is not None else "The fields of the form."
        # References of a schema start at its root: inside another one they would lead nowhere.
        whole = "$ref" not in dumps(form).decode()
        properties["values"] = {**(form if whole else {"type": "object"}), "description": said}
        required += ["values"] if given is None and not choices else []
    if not choices and form is None:
        properties["response"] = {"type": "string", "minLength": 1}
        required.append("response")
    properties["why"] = {"type": "string", "description": "The reason."}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def answer_of(request: Mapping[str, Any], said: Mapping[str, Any], *, by: str) -> Answer:
    """The answer that an object of the form of `answer_schema` is. `decide` holds it to what the gate asks.

    Raises:
        InputError: it is none.
    """
    unknown = said.keys() - {*_TEXTS, "values"}
    if unknown:
        raise InputError(
            f"an answer has no {', '.join(sorted(map(repr, unknown)))}",
            fix=f"it has {', '.join(answer_schema(request)['properties'])}",
        )
    for name in _TEXTS:
        if said.get(name) is not None and not isinstance(said[name], str):
            raise InputError(f"the {name} of an answer must be text", fix=f"give {name} as a string")
    values = said.get("values")
    if values is not None and not isinstance(values, Mapping):
        raise InputError("the values of an answer must be an object", fix="give each field by its name")
    response = said.get("response")
    if response is None and said.get("choice") is None and values is not None:
        response = None if request.get("choices") else ""
    return Answer(
        by=by, choice=said.get("choice"), response=response, values=values, why=said.get("why") or "", saw=None
    )


def flat_schema(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is asked as single fields, for clients whose forms have nothing nested; None where that cannot be said so.

    The arguments of a call that is to be approved are not among them: they are shown, and changed elsewhere.
    """
    choices, form = list(request.get("choices") or ()), request.get("form")
    properties: dict[str, Any] = {}
    required: list[str] = []
    if choices:
        properties["choice"] = {"type": "string", "enum": choices}
        required.append("choice")
    if form is not None and request.get("given") is None:
        for name, field in (form.get("properties") or {}).items():
            plain = _plain(field)
            if plain is None or name in _TEXTS or name in properties:
                return None
            properties[name] = plain
        required += [name for name in form.get("required") or () if name in properties]
    if not properties:
        properties["response"] = {"type": "string"}
        required.append("response")
    return {"type": "object", "properties": properties, "required": required}


def of_flat(request: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """An object of the form of `answer_schema`, from one of the form of `flat_schema`."""
    if request.get("form") is None or request.get("given") is not None:
        return {name: value for name, value in said.items() if name in _TEXTS}
    values = {name: value for name, value in said.items() if name not in _TEXTS and value is not None}
    return {**({"choice": said["choice"]} if "choice" in said else {}), "values": values}


def _plain(field: Any) -> dict[str, Any] | None:
    if not isinstance(field, Mapping) or field.get("type") not in _PRIMITIVE:
        return None
    plain = {name: field[name] for name in _FACETS if name in field}
    if "enum" in plain and not (plain["type"] == "string" and all(isinstance(one, str) for one in plain["enum"])):
        return None
    return plain
