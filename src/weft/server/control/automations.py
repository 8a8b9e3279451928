"""Schedules and triggers: what starts runs by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import Act, automation_add, automation_pause, automation_remove
from weft.app.automation.desk import NewAutomation
from weft.app.automation.rules import FileTrigger, HookTrigger, Overlap, Rule, RunTrigger, Schedule
from weft.app.hosting import Host
from weft.core.clock import iso
from weft.core.errors import InputError, NotFoundError, PolicyError
from weft.core.owner import LOCAL
from weft.server.caller import Caller
from weft.server.control.pages import Page, Paging, cut
from weft.server.control.routes import MAX_INT, PREFIX, At, Name, allowed, errors, routes
from weft.server.hooks import trigger_secret
from weft.store.automations import Automation, Firing

schedules = routes("schedules")
triggers = routes("triggers")
Reader = Annotated[Caller, Depends(allowed("automations:read"))]
Writer = Annotated[Caller, Depends(allowed("automations:write"))]
_TEN_YEARS = 3_660 * 86_400.0


class Starting(BaseModel):
    """What an automation starts, and its name: that of the workflow by default."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=300)
    version: int | None = Field(
        default=None, ge=1, le=MAX_INT, description="A registered version; that of now by default."
    )
    name: str = Field(default="", max_length=100, description="Letters, digits, dots and dashes.")
    inputs: dict[str, Any] = Field(default_factory=dict)
    pin: bool = Field(default=False, description="Start nothing once the workflow has changed.")


class AddSchedule(Starting):
    """When runs start: by `cron` in the zone `tz`, or `every_s` seconds."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"workflow": "brief", "cron": "0 8 * * 1-5", "tz": "Europe/Berlin"}},
    )

    cron: str | None = Field(default=None, max_length=200)
    every_s: float | None = Field(default=None, ge=1, le=_TEN_YEARS)
    tz: str = Field(default="UTC", max_length=100)
    overlap: Overlap = Field(default="skip", description="What happens when the run before has not ended.")
    catch_up_s: float = Field(
        default=3_600.0, ge=0, le=_TEN_YEARS, description="How far back missed times are made up for."
    )
    jitter_s: float = Field(default=0.0, ge=0, le=86_400)


class OnFile(BaseModel):
    """A file arrives in a folder that the service may watch."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(min_length=1, max_length=1_000)
    pattern: str = Field(default="*", min_length=1, max_length=200)
    settle_s: float = Field(default=2.0, ge=0, le=3_600)
    variable: str = Field(default="path", min_length=1, max_length=100, description="The input that gets its path.")


class OnRun(BaseModel):
    """A run of a workflow ends. The new run's inputs get its id, status and response."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = Field(min_length=1, max_length=300)
    statuses: list[Literal["completed", "failed", "cancelled"]] = Field(
        default=["completed"], min_length=1, max_length=3
    )


class OnWebhook(BaseModel):
    """A signed message is sent to ``/hooks/<name>``, or ``/hooks/<tenant>/<name>`` where tenants share the service. The new run's input `variable` gets its body, as text."""

    model_config = ConfigDict(extra="forbid")

    scheme: Literal["standard", "github"] = Field(
        default="standard", description="The form of the signature: Standard Webhooks, or that of GitHub."
    )
    variable: str = Field(default="body", min_length=1, max_length=100)


class AddTrigger(Starting):
    """What starts runs: a file, the end of another run, or a message."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"workflow": "brief", "on_run": {"workflow": "collect"}, "name": "after-collect"}
        },
    )

    on_file: OnFile | None = None
    on_run: OnRun | None = None
    on_webhook: OnWebhook | None = None


class AutomationItem(BaseModel):
    """A schedule or a trigger."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "brief",
                "kind": "schedule",
                "workflow": "brief",
                "rule": {"cron": "0 8 * * 1-5", "tz": "Europe/Berlin", "overlap": "skip"},
                "inputs": {},
                "paused": False,
                "pinned": False,
                "next": "2026-11-30T07:00:00.000Z",
                "created_at": "2026-11-29T20:35:56.529Z",
            }
        }
    )

    name: str
    kind: Literal["schedule", "file", "run", "webhook"]
    workflow: str = Field(description="The workflow that it starts, or its file.")
    rule: dict[str, Any]
    inputs: dict[str, Any]
    paused: bool
    pinned: bool
    next: str | None = Field(default=None, description="Of a schedule: when it is due.")
    created_at: str
    secret: str | None = Field(
        default=None, description="What messages to a new webhook trigger are signed with; told when it is made alone."
    )


class AutomationPage(Page[AutomationItem]):
    """Some schedules or triggers, by name."""


class FiringView(BaseModel):
    """One occasion: what became of it, and which run was started."""

    key: str
    status: str
    run_id: str | None
    at: str
    reason: str = ""


class AutomationView(AutomationItem):
    """A schedule or a trigger, with what it has done lately."""

    firings: list[FiringView] = Field(description="The latest first.")


class Upcoming(BaseModel):
    """The next times of a schedule."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "brief", "times": ["2026-11-30T07:00:00.000Z"]}})

    name: str
    times: list[str]


class Removed(BaseModel):
    """What starts no more runs."""

    model_config = ConfigDict(json_schema_extra={"example": {"removed": "brief"}})

    removed: str


@schedules.post("", status_code=201, responses=errors(404, 409))
async def add(body: AddSchedule, by: Writer, host: At, response: Response) -> AutomationItem:
    """Add a schedule."""
    if (body.cron is None) == (body.every_s is None):
        raise InputError("a schedule has either a cron expression or a length", fix="give `cron` or `every_s`")
    rule = Schedule(
        cron=body.cron,
        every=body.every_s,
        tz=body.tz,
        overlap=body.overlap,
        catch_up_s=body.catch_up_s,
        jitter_s=body.jitter_s,
    )
    made = await _add(host, by, body, rule)
    response.headers["Location"] = f"{PREFIX}/schedules/{made.name}"
    return made


@triggers.post("", name="add", status_code=201, responses=errors(404, 409))
async def add_trigger(body: AddTrigger, by: Writer, host: At, response: Response) -> AutomationItem:
    """Add a trigger. Folders are those that the service serves, or that its settings allow to tools."""
    wanted = [one for one in (body.on_file, body.on_run, body.on_webhook) if one is not None]
    if len(wanted) != 1:
        raise InputError("a trigger waits for one thing", fix="give `on_file`, `on_run` or `on_webhook`")
    made = await _add(host, by, body, _rule(host, by, wanted[0]))
    response.headers["Location"] = f"{PREFIX}/triggers/{made.name}"
    if made.kind != "webhook":
        return made
    return made.model_copy(update={"secret": trigger_secret(host, by.tenant, made.name, version=1)})


def _rule(host: Host, by: Caller, wanted: OnFile | OnRun | OnWebhook) -> Rule:
    if isinstance(wanted, OnFile):
        return FileTrigger(**wanted.model_dump() | {"folder": str(_watched(host, by, wanted.folder))})
    if isinstance(wanted, OnRun):
        return RunTrigger(workflow=wanted.workflow, statuses=tuple(wanted.statuses))
    return HookTrigger(scheme=wanted.scheme, variable=wanted.variable)


def _watched(host: Host, by: Caller, folder: str) -> File:
    """A folder that may be watched for whoever asks.

    Raises:
        PolicyError: it is none of those that the settings name.
    """
    if by.tenant != LOCAL.tenant:
        raise PolicyError(
            "the folders of the machine are those of its own tenant", fix="have a message (`on_webhook`) start the runs"
        )
    may = host.settings.tools
    roots = [*host.settings.server.folders, *may.allowed_folders, *([may.workdir] if may.workdir else [])]
    try:
        found = File(folder).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError("that is no folder", fix="name one by its path") from error
    if not any(found.is_relative_to(root.resolve()) for root in roots):
        raise PolicyError(
            "that folder may not be watched",
            fix="name one inside server.folders, tools.allowed_folders or tools.workdir",
        )
    return found


async def _add(host: Host, by: Caller, body: Starting, rule: Rule) -> AutomationItem:
    one = host.library.get(body.workflow, body.version, tenant=by.tenant)
    if one.agent:
        raise InputError("an automation starts workflows", fix="put the agent into a workflow or a file of its own")
    new = NewAutomation(
        rule=rule,
        file=one.file,
        name=body.name,
        variables=body.inputs,
        out=_artifacts(host, by),
        choice=host.choice,
        pin=body.pin,
    )

    def told(made: Automation) -> Act:
        return automation_add(made.name, made.kind, one.name)

    act = automation_add(body.name, workflow=one.name)
    return item(host, await host.trail.act(by.owner, act, host.desk(by.owner).add(new), told=told))


def _artifacts(host: Host, by: Caller) -> File:
    folder = host.settings.home / "artifacts" / "automations"
    return folder if by.tenant == LOCAL.tenant else folder / by.tenant


def _shared(api: APIRouter, *kinds: str) -> None:
    """The operations that schedules and triggers have in common."""

    @api.get("", name="list")
    async def list_all(query: Annotated[Paging, Query()], by: Reader, host: At) -> AutomationPage:
        """All of them, by name."""
        found = host.journal.automations.of_kind(*kinds, tenant=by.tenant)
        shown, more = cut(found, query)
        names = _names(host, by.tenant)
        return AutomationPage(items=[_item(one, names) for one in shown], next=more)

    @api.get("/{name}", responses=errors(404))
    async def show(name: Name, by: Reader, host: At) -> AutomationView:
        """One of them, and what it has done lately."""
        one = own(host, by, name, kinds)
        firings = host.journal.automations.firings(name, tenant=by.tenant)
        return AutomationView(**item(host, one).model_dump(), firings=[_firing(each) for each in firings])

    @api.post("/{name}/pause", responses=errors(404))
    async def pause(name: Name, by: Writer, host: At) -> AutomationItem:
        """Keep it from starting runs, until it is resumed."""
        return await _paused(host, by, own(host, by, name, kinds), paused=True)

    @api.post("/{name}/resume", responses=errors(404))
    async def resume(name: Name, by: Writer, host: At) -> AutomationItem:
        """Let it start runs again. What fell into the pause is not made up for."""
        return await _paused(host, by, own(host, by, name, kinds), paused=False)

    @api.delete("/{name}", responses=errors(404))
    async def remove(name: Name, by: Writer, host: At) -> Removed:
        """Forget it. Runs that it has started stay."""
        own(host, by, name, kinds)
        await host.trail.act(by.owner, automation_remove(name), host.desk(by.owner).remove(name))
        return Removed(removed=name)


_shared(schedules, "schedule")
_shared(triggers, "file", "run", "webhook")


@schedules.get("/{name}/next", name="next", responses=errors(404))
async def upcoming(
    name: Name, by: Reader, host: At, count: Annotated[int, Query(ge=1, le=200, description="How many.")] = 10
) -> Upcoming:
    """The next times of a schedule."""
    own(host, by, name, ("schedule",))
    return Upcoming(name=name, times=[iso(at) for at in host.desk(by.owner).upcoming(name, count)])


def own(host: Host, by: Caller, name: str, kinds: tuple[str, ...]) -> Automation:
    """The automation of this name, if it is of one of these kinds.

    Raises:
        NotFoundError: there is none.
    """
    try:
        found = host.journal.automations.get(name, tenant=by.tenant)
    except NotFoundError:
        found = None
    if found is None or found.kind not in kinds:
        what = "schedule" if kinds == ("schedule",) else "trigger"
        raise NotFoundError(f"there is no {what} {name!r}", fix=f"list the {what}s to see what is there")
    return found


async def _paused(host: Host, by: Caller, one: Automation, *, paused: bool) -> AutomationItem:
    act = automation_pause(one.name, paused=paused)
    return item(host, await host.trail.act(by.owner, act, host.desk(by.owner).pause(one.name, paused=paused)))


def item(host: Host, one: Automation) -> AutomationItem:
    """An automation as lists show it."""
    return _item(one, _names(host, one.tenant))


def _names(host: Host, tenant: str) -> dict[File, str]:
    """The names under which files are served."""
    return {one.file: one.name for one in host.library.all(tenant=tenant) if not one.agent}


def _item(one: Automation, names: Mapping[File, str]) -> AutomationItem:
    file = File(one.request["file"])
    return AutomationItem(
        name=one.name,
        kind=one.kind,  # type: ignore[arg-type]  # the table holds no others
        workflow=names.get(file, file.name),
        rule=dict(one.rule),
        inputs=dict(one.request.get("variables") or {}),
        paused=one.paused,
        pinned=bool(one.request.get("plan_hash")),
        next=None if one.next_at is None else iso(one.next_at),
        created_at=iso(one.created_at),
    )


def _firing(one: Firing) -> FiringView:
    return FiringView(
        key=one.key,
        status=one.status,
        run_id=one.run_id if one.status == "started" else None,
        at=iso(one.nominal),
        reason=one.reason,
    )
