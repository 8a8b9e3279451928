"""What the service answers, as the records that commands print."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from weft.app.reasoning import Action, Iteration
from weft.client.shapes.gates import GateView
from weft.client.shapes.plans import KeptPlan
from weft.client.shapes.runs import DiffLine, EventView, IterationView, RunItem, UsageView
from weft.client.shapes.runs import WakeSource as SourceView
from weft.client.shapes.schedules import AutomationItem, AutomationView, FiringView
from weft.core.clock import from_iso
from weft.core.event import Event
from weft.core.usage import Usage
from weft.engine.diff import Line, Side
from weft.engine.why import WakeSource
from weft.store.automations import Automation, Firing
from weft.store.gates import Gate
from weft.store.planned import Kept
from weft.store.runs import Run

_ASKED = ("prompt", "show", "choices", "rejections", "pattern", "form", "given", "default", "assignees", "shown")


def run_of(view: RunItem) -> Run:
    """A run. Where its files are, and how it was started there, is the service's own business."""
    base = view.forked_from
    return Run(
        id=view.id,
        tenant="",
        principal="",
        session=view.session,
        workflow=view.workflow,
        plan_hash=view.plan_hash,
        status=view.status,
        waits=tuple(view.waits),
        epoch=0,
        generation=0,
        head_seq=view.events,
        inputs=view.inputs or {},
        options={},
        outputs=None,
        error=view.error,
        usage=usage_of(view.usage),
        created_at=from_iso(view.created_at),
        updated_at=from_iso(view.updated_at),
        driven=view.driven,
        due=_time(view.due),
        base_run=None if base is None else base.run_id,
        base_seq=None if base is None else base.seq,
        parent=view.parent,
    )


def usage_of(view: UsageView) -> Usage:
    """What was consumed; a sum whose price is not known has none."""
    return Usage(
        requests=view.requests,
        input_tokens=view.input_tokens,
        output_tokens=view.output_tokens,
        cache_read_tokens=view.cache_read_tokens,
        cache_write_tokens=view.cache_write_tokens,
        cost=Decimal(view.cost_usd or 0),
        unpriced=view.unpriced,
    )


def event_of(view: EventView) -> Event:
    """An event."""
    return Event(view.run_id, view.seq, from_iso(view.at), view.kind, view.path, view.data, view.hash)


def gate_of(view: GateView) -> Gate:
    """A gate. Who is asked is whom the service asks now; what the gate does not say is left out."""
    given = view.model_dump(include=set(_ASKED), exclude_unset=True)
    return Gate(
        id=view.id,
        tenant="",
        run_id=view.run_id,
        path=view.path,
        status=view.status,
        opened_at=from_iso(view.opened_at),
        due=_time(view.due),
        request={name: value for name in _ASKED if (value := given.get(name)) not in (None, "", [], {})},
        decision=view.decision,
        closed_at=_time(view.closed_at),
        workflow=view.workflow,
    )


def source_of(view: SourceView) -> WakeSource:
    """What a run waits for."""
    return WakeSource(kind=view.kind, text=view.text, path=view.path, due=_time(view.due), fix=view.fix)


def line_of(view: DiffLine) -> Line:
    """One path of two runs."""
    return Line(path=view.path, change=view.change, first=_side(view.first), second=_side(view.second))  # type: ignore[arg-type]  # the service knows no others


def _side(data: Mapping[str, Any] | None) -> Side | None:
    if data is None:
        return None
    took = data.get("duration_us")
    known = {name: data[name] for name in ("status", "target", "value", "hash") if name in data}
    return Side(
        **known,
        usage=Usage.from_json(data.get("usage") or {}),
        started=None if took is None else 0,
        ended=took,
    )


def iteration_of(view: IterationView) -> Iteration:
    """One request to a model, and what was done with the answer."""
    return Iteration(
        path=view.path,
        agent=view.agent,
        number=view.iteration,
        thought=view.thought,
        said=view.said,
        actions={place: Action(**action) for place, action in enumerate(view.actions)},
        shortened=view.shortened,
    )


def automation_of(view: AutomationItem | AutomationView) -> Automation:
    """A schedule or a trigger; what it starts has a name there, and no file here."""
    request: dict[str, Any] = {"file": view.workflow, "variables": view.inputs, "out": ""}
    return Automation(
        name=view.name,
        kind=view.kind,
        rule=view.rule,
        request=request | ({"plan_hash": "pinned"} if view.pinned else {}),
        paused=view.paused,
        next_at=_time(view.next),
        created_at=from_iso(view.created_at),
    )


def firing_of(name: str, view: FiringView) -> Firing:
    """What an automation has done once."""
    at = from_iso(view.at)
    return Firing(
        automation=name,
        key=view.key,
        status=view.status,
        run_id=view.run_id or "",
        nominal=at,
        at=at,
        reason=view.reason,
    )


def kept_of(view: KeptPlan) -> Kept:
    """A plan that is used again."""
    return Kept(
        key=view.key,
        request=view.request,
        workflow=view.workflow,
        draft=view.draft,
        made=from_iso(view.made_at),
        expires=from_iso(view.expires_at),
        by=view.by,
    )


def _time(text: str | None) -> int | None:
    return None if text is None else from_iso(text)
