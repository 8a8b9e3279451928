"""What a remote agent asks, as a gate of ours, and what was decided here, as an answer to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from a2a.types import a2a_pb2
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from weft.engine.port import GateRequest

GATES = "urn:weft:a2a:gates:v1"
_DECISION = ("approve", "reject")


def question(seen: Mapping[str, Any], agent: str, url: str) -> GateRequest:
    """The gate for what a task asks. Whoever may answer here may answer there: a rejection goes there too."""
    shown: Mapping[str, Any] = seen.get("shown") or {}
    decision = seen["state"] == "AUTH_REQUIRED"
    choices = [str(choice) for choice in shown.get("choices") or ()] or (list(_DECISION) if decision else [])
    form = shown.get("form")
    return GateRequest(
        prompt=str(seen.get("says") or f"{agent} asks for {'a decision' if decision else 'input'}."),
        choices=tuple(choices),
        form=form if isinstance(form, Mapping) else None,
        given=shown.get("given"),
        on_reject="continue",
        facts={"agent": agent, "remote": url, "task": seen["task"]},
    )


def answer_to(seen: Mapping[str, Any], said: Mapping[str, Any], extensions: frozenset[str]) -> a2a_pb2.Message:
    """The message that carries what was decided here to a task: by our extension where the agent has it, or as words."""
    shown: Mapping[str, Any] = seen.get("shown") or {}
    message = a2a_pb2.Message(role=a2a_pb2.ROLE_USER)
    values, choice = said.get("values"), said.get("choice")
    if seen["state"] == "AUTH_REQUIRED" and GATES in extensions and shown.get("gate"):
        decision = {"gate": shown["gate"], "shown": shown.get("shown"), "choice": choice, "why": said.get("why") or ""}
        if values is not None and values != shown.get("given"):
            decision["values"] = values
        message.extensions.append(GATES)
        message.parts.append(_data(decision))
        return message
    if isinstance(values, Mapping):
        message.parts.append(_data(values))
    text = choice or said.get("response")
    if text and not (isinstance(values, Mapping) and choice is None):
        message.parts.append(a2a_pb2.Part(text=str(text)))
    return message


def _data(data: Mapping[str, Any]) -> a2a_pb2.Part:
    value = Value()
    ParseDict(json.loads(json.dumps(dict(data))), value)
    return a2a_pb2.Part(data=value, media_type="application/json")
