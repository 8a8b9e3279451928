"""Agents: those in files of their own and those inside workflows, each of which can be run by itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.app.serving.library import Published
from weft.core.clock import iso
from weft.core.errors import NotFoundError
from weft.plan.compile import Overrides, compile_workflow
from weft.plan.planner.cards import card_of
from weft.server.caller import Caller
from weft.server.control import etags
from weft.server.control.pages import Page, Paging, cut
from weft.server.control.routes import UNCHANGED, At, Name, allowed, errors, routes

api = routes("agents")
Reader = Annotated[Caller, Depends(allowed("agents:read"))]


class AgentItem(BaseModel):
    """An agent: `workflow/agent`, or the name of its own file."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "tiny/writer",
                "agent": "writer",
                "workflow": "tiny",
                "atomic": False,
                "version": 2,
                "description": "Summarise the text.",
                "changed_at": "2026-11-29T20:35:56.529Z",
            }
        }
    )

    name: str = Field(description="Under this name it can be run.")
    agent: str
    workflow: str
    atomic: bool = Field(description="Whether it stands in a file of its own.")
    version: int
    description: str = ""
    changed_at: str


class AgentPage(Page[AgentItem]):
    """Some agents, by name."""


class AgentView(AgentItem):
    """An agent in full. `card` says what it can do, as planners read it."""

    model: str | None = Field(default=None, description="The model that it asks; null when it cannot be planned.")
    tools: list[str]
    input_schema: dict[str, Any] = Field(description="What a run of it takes.")
    output_schema: dict[str, Any] | None = Field(default=None, description="What it answers with; text by default.")
    card: dict[str, Any]


@api.get("", name="list", responses=UNCHANGED)
async def list_agents(
    query: Annotated[Paging, Query()], by: Reader, host: At, request: Request, response: Response
) -> AgentPage:
    """The agents that can be run by themselves, by name."""
    found = [one for one in host.library.all(tenant=by.tenant) if one.kind == "agent"]
    etags.check(request, response, [(one.name, one.version, one.hash, one.changed_at) for one in found])
    shown, more = cut(found, query)
    return AgentPage(items=[AgentItem(**_facts(one)) for one in shown], next=more)


@api.get("/{name:path}", responses={**UNCHANGED, **errors(404)})
async def show(name: Name, by: Reader, host: At, request: Request, response: Response) -> AgentView:
    """One agent with its schemas, its tools and its card."""
    one = host.library.get(name, tenant=by.tenant)
    if one.kind != "agent":
        raise NotFoundError(f"{name!r} is a workflow and no agent", fix="list the agents to see their names")
    etags.check(request, response, one.version, one.hash, one.changed_at, host.choice)
    choice = host.choice
    plan = compile_workflow(
        one.workflow,
        Overrides(provider=choice.provider, model=choice.model, base_url=choice.base_url, offline=choice.offline),
    )
    agent = _agent(one)
    definition = plan.definitions["agents"][agent]
    return AgentView(
        **_facts(one),
        model=definition.get("model"),
        tools=list(definition["tools"]),
        input_schema=dict(one.input_schema),
        output_schema=definition.get("output_schema"),
        card=card_of(agent, definition).as_json(),
    )


def _agent(one: Published) -> str:
    return one.agent or next(iter(one.workflow.agents))


def _facts(one: Published) -> dict[str, Any]:
    return {
        "name": one.name,
        "agent": _agent(one),
        "workflow": one.workflow.name,
        "atomic": not one.agent,
        "version": one.version,
        "description": one.description,
        "changed_at": iso(one.changed_at),
    }
