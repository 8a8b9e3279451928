"""Workflows: what is served, registering new versions, and what one is before it is run."""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Query, Request, Response

from weft.app.auditing.acts import Act
from weft.app.estimate import estimate as estimated
from weft.app.hosting import Host
from weft.app.serving.copies import folder_for_new
from weft.app.serving.examining import Examined, compare, examine
from weft.app.serving.library import Published
from weft.core.canonical import sha256
from weft.core.clock import iso
from weft.core.errors import ConflictError, InputError, WeftError
from weft.plan.codec import plan_hash, to_json
from weft.plan.diagram import dot, mermaid, tree
from weft.plan.nodes import Plan
from weft.server.caller import Caller
from weft.server.control import etags
from weft.server.control.pages import Paging, cursor, cut, place
from weft.server.control.routes import PREFIX, UNCHANGED, At, Name, allowed, errors, routes
from weft.server.control.workflow_views import (
    YAML_BODY,
    DiffVersions,
    Estimate,
    Estimating,
    Measured,
    PlanView,
    Preview,
    Previewed,
    Spread,
    Unregistered,
    Validated,
    VersionDiff,
    VersionItem,
    VersionPage,
    WhichPlan,
    WorkflowItem,
    WorkflowPage,
    WorkflowText,
    WorkflowView,
    item_facts,
    problem_view,
)
from weft.spec.files import read_text
from weft.store.listing import RunFilter
from weft.store.workflows import Registered

api = routes("workflows")
Reader = Annotated[Caller, Depends(allowed("workflows:read"))]
Writer = Annotated[Caller, Depends(allowed("workflows:write"))]
_MEASURED = 50
_PICTURES = {"mermaid": mermaid, "dot": dot, "tree": tree}


@api.get("", name="list", responses=UNCHANGED)
async def list_workflows(
    query: Annotated[Paging, Query()], by: Reader, host: At, request: Request, response: Response
) -> WorkflowPage:
    """The workflows that are served, by name: registered ones, and those in the folders of the service."""
    found = [one for one in host.library.all(tenant=by.tenant) if one.kind == "workflow"]
    etags.check(request, response, [(one.name, one.version, one.hash, one.changed_at) for one in found])
    shown, more = cut(found, query)
    return WorkflowPage(items=[WorkflowItem(**item_facts(one)) for one in shown], next=more)


@api.post(
    "",
    status_code=201,
    openapi_extra=YAML_BODY,
    responses={200: {"model": WorkflowView, "description": "It is the newest version already."}},
)
async def register(body: WorkflowText, by: Writer, host: At, response: Response) -> WorkflowView:
    """Keep a new version of a workflow, and serve it. With problems, nothing is kept and the 422 names their places."""
    (await _examined(host, body)).demand()
    at = host.clock.micros()
    keeping = host.library.register(body.text, note=body.note, principal=by.principal, at=at, tenant=by.tenant)
    made = await host.trail.act(by.owner, Act("workflow.register", "workflow/"), keeping, told=_registered)
    response.headers["Location"] = f"{PREFIX}/workflows/{quote(made.name, safe='')}"
    response.status_code = 201 if made.changed_at == at else 200
    return await asyncio.to_thread(_view, host, made)


@api.post("/validate", openapi_extra=YAML_BODY, dependencies=[Depends(allowed("workflows:read"))])
async def validate(body: WorkflowText, host: At) -> Validated:
    """Check a workflow without keeping it, and name every problem with its place."""
    found = await _examined(host, body)
    return Validated(
        valid=found.plan is not None,
        workflow=found.workflow.name if found.workflow else "",
        plan_hash=found.plan_hash,
        problems=[problem_view(problem) for problem in found.problems],
    )


async def _examined(host: Host, body: WorkflowText) -> Examined:
    return await asyncio.to_thread(examine, body.text, folder_for_new(host.settings.home), host.choice)


@api.get("/{name:path}/versions", responses=errors(404))
async def versions(name: Name, query: Annotated[Paging, Query()], by: Reader, host: At) -> VersionPage:
    """The registered versions of a workflow, the newest first."""
    found = host.library.versions(name, tenant=by.tenant)
    if not found:
        host.library.get(name, tenant=by.tenant)
    begun = place(query.cursor, int)
    left = [one for one in found if begun is None or one.version < begun[0]]
    shown = left[: query.limit]
    more = cursor(shown[-1].version) if len(left) > len(shown) else None
    return VersionPage(items=[_version(one) for one in shown], next=more)


@api.get("/{name:path}/diff", responses=errors(404))
async def diff(name: Name, query: Annotated[DiffVersions, Query()], by: Reader, host: At) -> VersionDiff:
    """How two registered versions of a workflow differ."""
    one, other = (
        host.journal.workflows.get(name, version, tenant=by.tenant) for version in (query.first, query.second)
    )
    return await asyncio.to_thread(_diff, host, one, other)


def _diff(host: Host, one: Registered, other: Registered) -> VersionDiff:
    found = compare(one.source, other.source, (f"{one.name} {one.version}", f"{other.name} {other.version}"))
    folder = folder_for_new(host.settings.home)
    plans = [examine(each.source, folder, host.choice).plan_hash for each in (one, other)]
    return VersionDiff(
        name=one.name,
        first=one.version,
        second=other.version,
        same=one.hash == other.hash,
        same_plan=None if None in plans else plans[0] == plans[1],
        added=found.added,
        removed=found.removed,
        diff=found.text,
    )


@api.get("/{name:path}/plan", responses={**UNCHANGED, **errors(404)})
async def plan(
    name: Name,
    query: Annotated[WhichPlan, Query()],
    by: Reader,
    host: At,
    request: Request,
    response: Response,
) -> PlanView:
    """The plan that a workflow compiles into, as data or drawn."""
    one = _workflow(host, name, query.version, by)
    etags.check(request, response, one.hash, one.changed_at, host.choice)
    made = await asyncio.to_thread(host.service.plan, one.file, host.choice)
    draw = _PICTURES.get(query.format)
    return PlanView(
        workflow=made.workflow,
        plan_hash=plan_hash(made),
        format=query.format,
        plan=to_json(made) if draw is None else None,
        picture=None if draw is None else draw(made),
    )


@api.post("/{name:path}/estimate", responses=errors(404))
async def estimate(name: Name, by: Reader, host: At, body: Estimating | None = None) -> Estimate:
    """What a run may take: bounds that follow from the plan, its limits, prices, and what earlier runs have taken."""
    one = _workflow(host, name, body.version if body else None, by)
    made = await asyncio.to_thread(host.service.plan, one.file, host.choice)
    figures = await asyncio.to_thread(estimated, made)
    return Estimate(
        workflow=made.workflow,
        plan_hash=plan_hash(made),
        measured=_measured(host, made, by.tenant),
        **figures,
    )


def _measured(host: Host, made: Plan, tenant: str) -> Measured | None:
    which = RunFilter(statuses=("completed",), workflow=made.workflow, plan=plan_hash(made))
    # A fork has not done what it shares with another run.
    found = [run for run in host.journal.runs.search(which, tenant=tenant, limit=_MEASURED) if run.base_run is None]
    if not found:
        return None
    priced = not any(run.usage.unpriced for run in found)
    return Measured(
        runs=len(found),
        tokens=_spread([run.usage.tokens for run in found]),
        duration_s=_spread([(run.updated_at - run.created_at) / 1_000_000 for run in found]),
        cost_usd=_spread([float(run.usage.cost) for run in found]) if priced else None,
    )


def _spread(figures: list[int] | list[float]) -> Spread:
    return Spread(low=min(figures), median=median(figures), high=max(figures))


@api.post("/{name:path}/preview", responses=errors(404))
async def preview(name: Name, body: Preview, by: Reader, host: At) -> Previewed:
    """What a workflow of the pattern `plan` would make of a request; nothing is run or kept."""
    one = _workflow(host, name, None, by)
    return Previewed(**await asyncio.to_thread(host.service.preview, one.file, body.request, host.choice))


@api.get("/{name:path}", responses={**UNCHANGED, **errors(404)})
async def show(
    name: Name,
    by: Reader,
    host: At,
    request: Request,
    response: Response,
    version: Annotated[int | None, Query(ge=1, le=2**53 - 1, description="A registered version.")] = None,
) -> WorkflowView:
    """One workflow with its text and the JSON Schema of its inputs."""
    one = _workflow(host, name, version, by)
    etags.check(request, response, one.version, one.hash, one.changed_at, host.choice)
    return await asyncio.to_thread(_view, host, one)


@api.delete("/{name:path}", responses=errors(404, 409))
async def delete(name: Name, by: Writer, host: At) -> Unregistered:
    """Serve a registered workflow no more, in any version. Its runs keep their plans."""

    async def removing() -> int:
        gone = await host.library.unregister(name, tenant=by.tenant)
        if not gone:
            host.library.get(name, tenant=by.tenant)
            raise ConflictError(
                f"{name!r} is not registered but stands in a folder of the service", fix="remove its file there"
            )
        return gone

    def told(gone: int) -> Act:
        return Act("workflow.delete", f"workflow/{name}", {"versions": gone})

    return Unregistered(name=name, versions=await host.trail.act(by.owner, told(0), removing(), told=told))


def _registered(made: Published) -> Act:
    return Act("workflow.register", f"workflow/{made.name}", {"version": made.version})


def _workflow(host: Host, name: str, version: int | None, by: Caller) -> Published:
    """The workflow of this name, or the agent that stands in a file of its own.

    Raises:
        NotFoundError: there is none.
        InputError: it is an agent inside a workflow.
    """
    one = host.library.get(name, version, tenant=by.tenant)
    if one.agent:
        raise InputError(f"{name!r} is an agent of a workflow", fix=f"ask for {one.workflow.name!r}, or see the agents")
    return one


def _view(host: Host, one: Published) -> WorkflowView:
    source = read_text(one.file)
    try:
        planned: str | None = plan_hash(host.service.plan(one.file, host.choice))
    except WeftError:
        planned = None
    return WorkflowView(
        **item_facts(one),
        input_schema=dict(one.input_schema),
        source=source,
        hash=one.hash or sha256(source.encode()),
        plan_hash=planned,
    )


def _version(one: Registered) -> VersionItem:
    return VersionItem(
        name=one.name,
        version=one.version,
        hash=one.hash,
        note=one.note,
        by=one.principal,
        created_at=iso(one.created_at),
    )
