"""Our extension of A2A: how a decision gate is shown to a client, and how a client decides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from a2a.types import a2a_pb2
from google.protobuf.json_format import MessageToDict

from weft.core.numbers import whole
from weft.engine.questions import Answer
from weft.store.gates import Gate

URI = "urn:weft:a2a:gates:v1"
DESCRIPTION = (
    "Shows the gate that a task waits at (gate, shown, choices, form, given), and takes its decision as a data part "
    "{gate, shown, choice, values?, why?}: `shown` is the hash of what was shown, the arguments that are approved included."
)
RIGHT = "gates:decide"


def is_decision(request: Mapping[str, Any]) -> bool:
    """Whether a gate asks for a decision, rather than for something that somebody knows."""
    rejections = {str(word).casefold() for word in request.get("rejections", ())}
    return any(str(choice).casefold() in rejections for choice in request.get("choices", ()))


def shown(gate: Gate) -> dict[str, Any]:
    """What a client is shown of a gate."""
    request = gate.request
    kept = {name: request[name] for name in ("choices", "form", "given", "due") if request.get(name) is not None}
    kind = "decision" if is_decision(request) else "form"
    return {"gate": gate.id, "kind": kind, "shown": request["shown"], **kept}


def decision_in(message: a2a_pb2.Message) -> dict[str, Any] | None:
    """The decision that a message carries by the extension, or None: its data part names a gate."""
    if URI not in message.extensions:
        return None
    for part in message.parts:
        if part.WhichOneof("content") == "data":
            data = whole(MessageToDict(part.data))
            if isinstance(data, dict) and isinstance(data.get("gate"), str):
                return data
    return None


def answer_of(decision: Mapping[str, Any], principal: str) -> Answer:
    """A decision as an answer to its gate."""
    values = decision.get("values")
    return Answer(
        by=principal,
        choice=str(decision["choice"]) if decision.get("choice") is not None else None,
        values=values if isinstance(values, Mapping) else None,
        why=str(decision.get("why") or ""),
        saw=str(decision["shown"]),
    )
