"""Gates as interrupts: what a client is told of one, and what its answer means. Nothing that a client says makes a gate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ag_ui.core import Interrupt, ResumeEntry

from weft.app.hosting import Host
from weft.app.serving.places import Place
from weft.app.serving.questions import answer_of, answer_schema, gate_of, open_gates, root_of
from weft.core.clock import iso
from weft.core.errors import ConflictError, InputError, NotFoundError
from weft.engine.questions import Answer, decision
from weft.server.caller import Caller
from weft.store.gates import Gate

MAX_ENTRIES = 100
_GATE = "/gate"
_SHOWN = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A run that goes on after answers: from which place on a client is told of it, and which tool calls it has seen."""

    run_id: str
    place: Place
    told: Sequence[str]


def call_id(run_id: str, path: str) -> str:
    """The id of the tool call at `path`, or of the one that the gate at `path` is about: the same in every stream."""
    return "call-" + hashlib.sha256(f"{run_id}{path.removesuffix(_GATE)}".encode()).hexdigest()[:24]


def interrupt_of(gate: Gate) -> Interrupt:
    """A gate as a client is told of it."""
    request = gate.request
    approval = request.get("given") is not None
    lines = [str(request.get("prompt", "")), str(request.get("show", ""))[:_SHOWN]]
    return Interrupt(
        id=gate.id,
        reason="tool_call" if approval else "confirmation" if request.get("choices") else "input_required",
        message="\n\n".join(line for line in lines if line),
        tool_call_id=call_id(gate.run_id, gate.path) if approval else None,
        response_schema=_approval_schema(request) if approval else answer_schema(request),
        expires_at=iso(gate.due) if gate.due is not None else None,
        metadata={"weft": {"run": gate.run_id, "path": gate.path, "assignees": request.get("assignees") or []}},
    )


async def resume(host: Host, caller: Caller, thread_id: str, entries: Sequence[ResumeEntry]) -> Resumed:
    """Decide the gates that a client answers; all that are open in its run, or none. The same again is harmless.

    Raises:
        PolicyError: the caller may not decide, or somebody else is asked.
        NotFoundError: one of them is no gate of this conversation.
        InputError: an open gate has no answer, or an answer does not fit.
        ConflictError: one was decided otherwise.
    """
    caller.demand("gates:decide", f"/ag-ui/{thread_id}")
    if not 0 < len(entries) <= MAX_ENTRIES or len({entry.interrupt_id for entry in entries}) != len(entries):
        raise InputError(f"a resume has 1 to {MAX_ENTRIES} answers, one for each interrupt", fix="answer each once")
    gates = [_theirs(host, caller, thread_id, entry.interrupt_id) for entry in entries]
    roots = {root_of(host.journal, gate.run_id) for gate in gates}
    if len(roots) > 1:
        raise InputError("the answers belong to different runs", fix="answer the interrupts of one run at a time")
    root = roots.pop()
    left = {gate.id for gate in open_gates(host.journal, root)} - {gate.id for gate in gates}
    if left:
        raise InputError(
            f"interrupts are left without an answer: {', '.join(sorted(left))}", fix="answer all of them at once"
        )
    answers = [_answer(gate, entry, caller.principal) for gate, entry in zip(gates, entries, strict=True)]
    now = host.clock.micros()
    for gate, answer in zip(gates, answers, strict=True):
        if gate.decision is None:
            decision(gate.request, answer, at=now)  # before the first is decided, all have to fit
    decided = [await host.decide(gate.run_id, gate.id, answer) for gate, answer in zip(gates, answers, strict=True)]
    at = min(int(one.decision["at"]) for one in decided)
    told = [call_id(gate.run_id, gate.path) for gate in gates if gate.request.get("given") is not None]
    return Resumed(run_id=root, place=Place(_waited(host, root, at), at), told=told)


def _theirs(host: Host, caller: Caller, thread_id: str, gate_id: str) -> Gate:
    gate = gate_of(host.journal, gate_id, tenant=caller.tenant)
    run = host.journal.runs.get(gate.run_id, tenant=caller.tenant)
    if run.session != thread_id or run.principal != caller.principal:
        raise NotFoundError(f"there is no gate {gate_id!r}", fix="`weft gates` shows what waits for an answer")
    if gate.decision is None and gate.status != "open":
        raise ConflictError("the question was withdrawn", fix="its run needs no answer any more", gate=gate_id)
    return gate


def _waited(host: Host, run_id: str, at: int) -> int:
    """The number of the event with which the run began to wait for what was decided at `at`."""
    waits = [event.seq for event in host.journal.events(run_id) if event.kind == "run.waiting" and event.at <= at]
    return waits[-1] if waits else 0


def _answer(gate: Gate, entry: ResumeEntry, by: str) -> Answer:
    payload = entry.payload
    if entry.status == "cancelled":
        return Answer(by=by, verdict="reject", why=_reason(payload))
    if isinstance(payload, bool):
        payload = {"approved": payload}
    if isinstance(payload, str):
        payload = {"choice" if gate.request.get("choices") else "response": payload}
    if not isinstance(payload, Mapping):
        raise InputError("the payload of an answer must be an object", fix="its interrupt has a responseSchema")
    if "approved" not in payload:
        return answer_of(gate.request, payload, by=by)
    unknown = payload.keys() - {"approved", "editedArgs", "reason"}
    approved, edited = payload["approved"], payload.get("editedArgs")
    if unknown or not isinstance(approved, bool) or not (edited is None or isinstance(edited, Mapping)):
        raise InputError("the payload does not fit", fix="it is {approved: true or false, editedArgs?, reason?}")
    verdict = "approve" if approved else "reject"
    return Answer(by=by, verdict=verdict, values=edited if approved else None, why=_reason(payload))


def _reason(payload: Any) -> str:
    reason = payload.get("reason") if isinstance(payload, Mapping) else payload
    return reason if isinstance(reason, str) else ""


def _approval_schema(request: Mapping[str, Any]) -> dict[str, Any]:
    arguments = answer_schema(request)["properties"].get("values", {"type": "object"})
    return {
        "type": "object",
        "properties": {
            "approved": {"type": "boolean"},
            "editedArgs": arguments,
            "reason": {"type": "string"},
        },
        "required": ["approved"],
        "additionalProperties": False,
    }
