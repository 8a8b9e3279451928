"""Gates: what waits for a person, and deciding it. The first answer wins; a later one is told what did."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import gate_decide
from weft.app.hosting import Host
from weft.core.clock import iso
from weft.core.errors import InputError, NotFoundError, PolicyError
from weft.engine.questions import Answer, assignees
from weft.server.caller import Caller
from weft.server.control import etags
from weft.server.control.pages import Page, Paging, cursor, place
from weft.server.control.routes import MAX_ID, UNCHANGED, At, allowed, errors, own_run, routes, sent
from weft.store.gates import Gate

api = routes("gates")
Reader = Annotated[Caller, Depends(allowed("gates:read"))]
Decider = Annotated[Caller, Depends(allowed("gates:decide"))]
ANY = "gates:any"
"""The right to answer in the name of whoever is asked."""
_BATCH, _LOOKS = 200, 10
_SHOWN = ("prompt", "show", "choices", "form", "given", "default", "pattern", "rejections")
GateId = Annotated[str, Path(min_length=1, max_length=MAX_ID, description="The id of a gate, in full.")]


class GateView(BaseModel):
    """One question that a run has put. `given` is what its form begins with: the arguments of a tool call that is to be approved."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "8a1d6a7f0f3f4a4e9bb0f8a2c0d1e2f3",
                "run_id": "01a228ef-7d43-7131-b584-c92df5576c90",
                "workflow": "letter",
                "path": "/review",
                "status": "open",
                "opened_at": "2026-11-29T20:35:57.493Z",
                "assignees": [],
                "prompt": "Send this letter?",
                "choices": ["approve", "reject"],
                "shown": "7d0d7d53a26b26a4e3b8f0bb8f2d1c6c4a3bb1e3b7c44f19c3a7f2a2b1f0c9d8",
            }
        }
    )

    id: str
    run_id: str
    workflow: str
    path: str
    status: Literal["open", "decided", "expired", "withdrawn"]
    opened_at: str
    due: str | None = Field(default=None, description="When the default is taken, or the gate fails.")
    closed_at: str | None = None
    assignees: list[str] = Field(description="Who is asked now; nobody named means everybody.")
    prompt: str = ""
    show: str = Field(default="", description="What is shown with the question.")
    choices: list[str] = Field(default_factory=list)
    rejections: list[str] = Field(default_factory=list, description="Which answers reject.")
    pattern: str | None = Field(default=None, description="What an answer in words has to match.")
    form: dict[str, Any] | None = Field(default=None, description="The JSON Schema of `values`.")
    given: Any = None
    default: Any = None
    shown: str = Field(description="The hash of what is asked: sent as `saw`, it guards against a change in between.")
    decision: dict[str, Any] | None = None


class GatePage(Page[GateView]):
    """Some gates, the newest first."""


class GateQuery(Paging):
    """Which gates."""

    status: Literal["open", "decided", "expired", "withdrawn", "any"] = "open"
    mine: bool = Field(default=False, description="Only those that ask the caller, or everybody.")
    run: str | None = Field(default=None, min_length=1, max_length=MAX_ID, description="Only those of this run.")


class Decision(BaseModel):
    """An answer to a gate: a choice, an answer in words, or values for its form (edited arguments of a tool call)."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"verdict": "approve", "why": "the figures are right"}}
    )

    choice: str | None = Field(default=None, max_length=2_000, description="One of its choices.")
    response: str | None = Field(default=None, max_length=200_000, description="An answer in words.")
    verdict: Literal["approve", "reject"] | None = Field(
        default=None, description="The first choice that means this; without choices, the word itself."
    )
    values: dict[str, Any] | None = Field(default=None, description="Values that fit its form.")
    why: str = Field(default="", max_length=200_000, description="It is kept in the journal.")
    saw: str | None = Field(default=None, max_length=MAX_ID, description="`shown` of what the caller looked at.")
    by: str | None = Field(
        default=None, min_length=1, max_length=MAX_ID, description="Whose answer it is; needs the right `gates:any`."
    )


class Decided(BaseModel):
    """What holds at a gate now. `repeated` says that the very same answer had been given before."""

    gate: GateView
    decision: dict[str, Any]
    repeated: bool = False


@api.get("", name="list", responses={**UNCHANGED, **errors(404)})
async def list_gates(
    query: Annotated[GateQuery, Query()], by: Reader, host: At, request: Request, response: Response
) -> GatePage:
    """What waits for an answer, in all runs, the newest first."""
    if query.run is not None:
        own_run(host, query.run, by)
    found, more = _page(host, query, by)
    etags.check(request, response, [(gate.id, gate.status) for gate in found], more)
    return sent(GatePage(items=[gate_view(gate, host) for gate in found], next=more), response)


def _page(host: Host, query: GateQuery, by: Caller) -> tuple[list[Gate], str | None]:
    """The gates of a page. Who is asked changes with time, so that is looked at here, over so many gates at most."""
    before = place(query.cursor, int, str)
    status = None if query.status == "any" else query.status
    now = host.clock.micros()
    found: list[Gate] = []
    for _ in range(_LOOKS):
        batch = host.journal.gates.search(
            tenant=by.tenant, status=status, run_id=query.run, before=before, limit=_BATCH
        )
        for gate in batch:
            if len(found) == query.limit:
                return found, cursor(*(before or ()))
            if not query.mine or not (asked := assignees(gate.request, now)) or by.principal in asked:
                found.append(gate)
            before = (gate.opened_at, gate.id)
        if len(batch) < _BATCH:
            return found, None
    return found, cursor(*(before or ()))


@api.get("/{gate_id}", responses={**UNCHANGED, **errors(404)})
async def show(gate_id: GateId, by: Reader, host: At, request: Request, response: Response) -> GateView:
    """One gate: what it asks, whom, and what was decided."""
    gate = own_gate(host, gate_id, by)
    view = gate_view(gate, host)
    etags.check(request, response, gate.id, gate.status, view.assignees)
    return view


@api.post("/{gate_id}/decide", responses=errors(404, 409))
async def decide(gate_id: GateId, body: Decision, by: Decider, host: At) -> Decided:
    """Answer a gate; its run goes on at once. When something else was decided before, the 409 says what (`ids.decision`)."""
    gate = own_gate(host, gate_id, by)
    if body.by is not None and body.by != by.principal and not by.may(ANY):
        denied = host.trail.of(by.owner, gate_decide(gate.run_id, gate.id, body.by), outcome="denied")
        await host.trail.note(denied)
        raise PolicyError(f"answering for {body.by!r} needs the right {ANY!r}", fix="leave `by` out")
    if (body.choice, body.response, body.verdict, body.values) == (None, None, None, None):
        raise InputError("an answer is needed", fix="give a choice, a response, a verdict or values")
    answer = Answer(
        by=body.by or by.principal,
        choice=body.choice,
        response=body.response,
        verdict=body.verdict or ("approve" if body.choice is None and body.response is None else None),
        values=body.values,
        why=body.why,
        saw=body.saw,
    )
    decided = await host.decide(gate.run_id, gate.id, answer, principal=by.principal)
    now = host.journal.gates.get(gate_id)
    return Decided(gate=gate_view(now, host), decision=dict(decided.decision), repeated=decided.repeated)


def own_gate(host: Host, gate_id: str, caller: Caller) -> Gate:
    """The gate with this id, if it is the caller's tenant's.

    Raises:
        NotFoundError: it is not.
    """
    missing = NotFoundError(f"there is no gate {gate_id!r}", fix="list the gates to see what waits", gate=gate_id)
    try:
        return host.journal.gates.get(gate_id, tenant=caller.tenant)
    except NotFoundError:
        raise missing from None


def gate_view(gate: Gate, host: Host) -> GateView:
    """A gate as the API shows it."""
    asked = {name: gate.request[name] for name in _SHOWN if name in gate.request}
    return GateView(
        id=gate.id,
        run_id=gate.run_id,
        workflow=gate.workflow,
        path=gate.path,
        status=gate.status,  # type: ignore[arg-type]  # the table holds no others
        opened_at=iso(gate.opened_at),
        due=None if gate.due is None else iso(gate.due),
        closed_at=None if gate.closed_at is None else iso(gate.closed_at),
        assignees=assignees(gate.request, host.clock.micros()),
        shown=str(gate.request.get("shown", "")),
        decision=gate.decision,
        **asked,
    )
