"""Settings: what each one is and where it comes from, secrets masked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from weft.server.control.pages import Page, Paging, cut
from weft.server.control.routes import At, allowed, routes

api = routes("settings")


class SettingView(BaseModel):
    """One setting. `source` is a variable, a line of a file, or `default`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "server.port",
                "value": 8480,
                "source": "default",
                "variable": "WEFT_SERVER__PORT",
                "description": "The port; 0 takes a free one.",
            }
        }
    )

    name: str
    value: Any = Field(description="Secrets are masked.")
    source: str
    variable: str
    description: str


class SettingPage(Page[SettingView]):
    """Some settings, in the order of the documentation."""


@api.get("", name="list", dependencies=[Depends(allowed("settings:read"))])
async def list_settings(query: Annotated[Paging, Query()], host: At) -> SettingPage:
    """The settings of the service."""
    shown, more = cut(host.service.settings(), query)
    return SettingPage(
        items=[
            SettingView(
                name=one.name, value=one.value, source=one.source, variable=one.variable, description=one.description
            )
            for one in shown
        ],
        next=more,
    )
