"""Schedules and triggers: what starts runs by itself."""

from __future__ import annotations

from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from weft.app.auditing.acts import Act, automation_add, automation_pause, automation_remove
from weft.app.automation.desk import NewAutomation
from weft.app.automation.rules import FileTrigger, HookTrigger, Rule, RunTrigger, Schedule
from weft.app.hosting import Host
from weft.core.clock import iso
from weft.core.errors import InputError, NotFoundError, PolicyError
from weft.core.owner import LOCAL
from weft.server.caller import Caller
from weft.server.control.automation_views import (
    AddSchedule,
    AddTrigger,
    AutomationItem,
    AutomationPage,
    AutomationView,
    OnFile,
    OnRun,
    OnWebhook,
    Removed,
    Starting,
    Upcoming,
    automation_item,
    firing_view,
)
from weft.server.control.pages import Paging, cut
from weft.server.control.routes import PREFIX, At, Name, allowed, errors, routes
from weft.server.hooks import trigger_secret
from weft.store.automations import Automation

schedules = routes("schedules")
triggers = routes("triggers")
Reader = Annotated[Caller, Depends(allowed("automations:read"))]
Writer = Annotated[Caller, Depends(allowed("automations:write"))]


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
        return AutomationPage(items=[automation_item(one, names) for one in shown], next=more)

    @api.get("/{name}", responses=errors(404))
    async def show(name: Name, by: Reader, host: At) -> AutomationView:
        """One of them, and what it has done lately."""
        one = own(host, by, name, kinds)
        firings = host.journal.automations.firings(name, tenant=by.tenant)
        return AutomationView(**item(host, one).model_dump(), firings=[firing_view(each) for each in firings])

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
    return automation_item(one, _names(host, one.tenant))


def _names(host: Host, tenant: str) -> dict[File, str]:
    """The names under which files are served."""
    return {one.file: one.name for one in host.library.all(tenant=tenant) if not one.agent}
