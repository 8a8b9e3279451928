"""Calls of the client's tools that an agent waits for: told to the client, and its results handed in.

Such a call is a gate of the agent's run, and its id names the gate: the request that brings the results finds the very run that waits for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from weft.app.hosting import Host
from weft.app.serving.places import BEGINNING, Place, rests
from weft.app.serving.questions import root_of
from weft.core.errors import NotFoundError
from weft.engine.questions import Answer
from weft.server.caller import Caller
from weft.server.openai.following import Paused
from weft.store.gates import Gate
from weft.store.runs import Run

_ID = re.compile(r"call_([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Awaited:
    """A run that waits for results, its own or those of a run below it, and the place at which it began to."""

    run: Run
    place: Place


def calls_of(paused: Paused) -> list[dict[str, str]]:
    """The calls that the client is to make: ``id``, ``name``, ``arguments`` as JSON text."""
    found = ((gate, gate.request.get("facts") or {}) for gate in paused.gates)
    return [
        {
            "id": f"call_{gate.id}",
            "name": str(facts["client"]),
            "arguments": json.dumps(facts.get("arguments") or {}, ensure_ascii=False),
        }
        for gate, facts in found
        if "client" in facts
    ]


async def hand_in(host: Host, results: Iterable[tuple[str, str]], by: Caller) -> Awaited | None:
    """Give the results (id of the call, text) to the run that waits for them; None when they are for no run.

    Raises:
        NotFoundError: no run of this caller waits for one of them.
        WeftError: it was answered otherwise before.
    """
    awaited: Awaited | None = None
    for call, text in results:
        match = _ID.fullmatch(call)
        if match is None:
            continue
        gate, run = _own(host, match[1], by)
        await host.decide(gate.run_id, gate.id, Answer(by=by.principal, response="done", values={"result": text}))
        awaited = awaited or Awaited(run, _waiting_at(host, run, gate))
    return awaited


def _own(host: Host, gate_id: str, by: Caller) -> tuple[Gate, Run]:
    """A gate, and the run that the caller has begun."""
    found: tuple[Gate, Run] | None = None
    try:
        gate = host.journal.gates.get(gate_id, tenant=by.tenant)
        found = gate, host.journal.runs.get(root_of(host.journal, gate.run_id), tenant=by.tenant)
    except NotFoundError:
        pass  # told below, in the same words as of what is another's
    if found is not None:
        gate, run = found
        if run.principal == by.principal and "client" in (gate.request.get("facts") or {}):
            return found
    raise NotFoundError("nobody waits for the result of this call", fix="ask anew", param="messages")


def _waiting_at(host: Host, run: Run, gate: Gate) -> Place:
    """The place at which the run began to wait at a gate."""
    found = (rest.place for rest in rests(host.journal, run.id, BEGINNING) if rest.at >= gate.opened_at)
    return next(found, BEGINNING)
