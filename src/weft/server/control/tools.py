"""Tools: those that are built in, and those of a workflow."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from weft.app.catalogue import Catalogue, catalogue
from weft.server.caller import Caller
from weft.server.control.pages import Page, Paging, cut
from weft.server.control.routes import At, allowed, errors, routes

api = routes("tools")
Reader = Annotated[Caller, Depends(allowed("tools:read"))]


class ToolView(BaseModel):
    """One tool. `effect` says how it may be repeated; `origin` is `builtin`, `python`, `http`, `skills` or `mcp`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "calculator",
                "origin": "builtin",
                "effect": "pure",
                "description": "Compute an arithmetic expression.",
                "allowed": True,
                "input_schema": {"type": "object", "properties": {"expression": {"type": "string"}}},
            }
        }
    )

    name: str
    origin: str
    effect: str | None = Field(default=None, description="Null for a server, whose tools are known when it is asked.")
    description: str = ""
    allowed: bool = Field(default=True, description="Whether agents have it without a further setting.")
    input_schema: dict[str, Any] | None = None


class ToolPage(Page[ToolView]):
    """Some tools, by name."""


class ToolQuery(Paging):
    """Whose tools."""

    workflow: str | None = Field(
        default=None, min_length=1, max_length=300, description="Those of this workflow; the built-in ones by default."
    )


@api.get("", name="list", responses=errors(404))
async def list_tools(query: Annotated[ToolQuery, Query()], by: Reader, host: At) -> ToolPage:
    """The built-in tools, or the tools of a workflow. Its servers are named, not asked."""
    if query.workflow is None:
        shown, more = cut(_catalogue().tools, query)
        views = [
            ToolView(
                name=one.name,
                origin="builtin",
                effect=one.effect,
                description=one.summary,
                allowed=one.allowed or host.settings.tools.python_exec,
                input_schema=dict(one.input_schema),
            )
            for one in shown
        ]
        return ToolPage(items=views, next=more)
    one = host.library.get(query.workflow, tenant=by.tenant)
    plan = await asyncio.to_thread(host.service.plan, one.file, host.choice)
    found = [
        ToolView(name=tool["name"], origin=tool["from"], effect=tool["effect"], description=tool["description"])
        for tool in await asyncio.to_thread(host.service.own_tools, one.file)
    ]
    servers = plan.definitions.get("mcp") or {}
    found += [ToolView(name=name, origin="mcp", description="The tools of this server.") for name in servers]
    page, more = cut(sorted(found, key=lambda tool: tool.name), query)
    return ToolPage(items=page, next=more)


@cache
def _catalogue() -> Catalogue:
    return catalogue()
