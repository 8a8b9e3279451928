"""Gates as questions to the client's own person: a form in the protocol, where client and gate allow it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mcp.shared.message import ServerMessageMetadata
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequests, InputRequiredResult

from weft.app.hosting import Host
from weft.app.serving.questions import answer_of, asks, flat_schema, of_flat
from weft.core.errors import ConflictError, InputError
from weft.server.caller import Caller
from weft.server.mcp.exchange import Context, is_modern
from weft.store.gates import Gate

PATIENCE_S = 600.0
"""How long a client may keep a question open within one call; what takes longer is answered by coming back."""
_SHOWN = 4_000
_SECOND = 1_000_000


def can_ask(ctx: Context) -> bool:
    """Whether the client shows forms to its person."""
    capabilities = ctx.session.client_capabilities
    asking = capabilities.elicitation if capabilities is not None else None
    # An empty capability means forms: that is what it said before there were addresses.
    if asking is None or (asking.form is None and asking.url is not None):
        return False
    return is_modern(ctx) or ctx.session.can_send_request


def forms(gates: Sequence[Gate], caller: Caller, at: int, *, note: str = "") -> Mapping[str, ElicitRequest] | None:
    """The questions of all these gates, by the ids of the gates; None when one of them cannot be asked of the caller so.

    `note` says what was wrong with an answer before.
    """
    found = {}
    for gate in gates:
        schema = flat_schema(gate.request)
        if schema is None or not asks(gate, caller.principal, at):
            return None
        params = ElicitRequestFormParams(message=_message(gate, note), requested_schema=schema)
        found[gate.id] = ElicitRequest(params=params)
    return found if caller.may("gates:decide") else None


async def ask(ctx: Context, form: ElicitRequest, *, for_s: float) -> ElicitResult:
    """Ask now, within the call.

    Raises:
        MCPError: the client does not answer in time, or cannot.
    """
    return await ctx.session.send_request(
        form,
        ElicitResult,
        request_read_timeout_seconds=for_s,
        metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
    )


def sent_away(questions: Mapping[str, ElicitRequest], state: Mapping[str, Any]) -> InputRequiredResult:
    """The questions as a result: the client calls again with the answers. `state` is sealed on its way."""
    requests: InputRequests = dict(questions)
    return InputRequiredResult(input_requests=requests, request_state=json.dumps(state))


def left_s(gate: Gate, at: int) -> float:
    """Seconds for which a question may be kept open within a call."""
    return PATIENCE_S if gate.due is None else max(0.0, min(PATIENCE_S, (gate.due - at) / _SECOND))


async def decide(host: Host, gate: Gate, result: ElicitResult, caller: Caller) -> bool:
    """Decide a gate as the person said; False when they said nothing that decides it.

    Whoever declines a form has not decided: to reject is one of the choices.

    Raises:
        InputError: what they said does not fit.
    """
    if result.action != "accept":
        return False
    said = of_flat(gate.request, result.content or {})
    try:
        await host.decide(gate.run_id, gate.id, answer_of(gate.request, said, by=caller.principal))
    except ConflictError:
        pass  # somebody was faster: the run goes on with what they said
    except InputError as error:
        raise InputError(error.message, fix=error.fix, gate=gate.id) from error
    return True


def _message(gate: Gate, note: str) -> str:
    request = gate.request
    lines = [note, str(request.get("prompt", ""))[:_SHOWN], str(request.get("show", ""))[:_SHOWN]]
    if request.get("given") is not None:
        lines.append(json.dumps(request["given"], ensure_ascii=False, indent=2)[:_SHOWN])
    return "\n\n".join(line for line in lines if line) or "An answer is needed."
