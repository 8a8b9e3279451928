"""Schedules and triggers on the wire: what is sent to have one, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as File
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weft.app.automation.rules import Overlap
from weft.core.clock import iso
from weft.server.control.pages import Page
from weft.server.control.routes import MAX_INT
from weft.store.automations import Automation, Firing

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


def automation_item(one: Automation, names: Mapping[File, str]) -> AutomationItem:
    """An automation; `names` are those under which files are served."""
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


def firing_view(one: Firing) -> FiringView:
    """One of its occasions."""
    return FiringView(
        key=one.key,
        status=one.status,
        run_id=one.run_id if one.status == "started" else None,
        at=iso(one.nominal),
        reason=one.reason,
    )
