"""Written by scripts/client from the OpenAPI document. Calls of ``workflows``."""

from __future__ import annotations

from typing import Unpack

from weft.client import operations
from weft.client.given.workflows import (
    Estimating,
    Preview,
    WorkflowsDiffQuery,
    WorkflowsListQuery,
    WorkflowsPlanQuery,
    WorkflowsShowQuery,
    WorkflowsVersionsQuery,
    WorkflowText,
)
from weft.client.items import Items
from weft.client.line import Line
from weft.client.operation import Call
from weft.client.shapes.workflows import (
    Estimate,
    PlanView,
    Previewed,
    Unregistered,
    Validated,
    VersionDiff,
    VersionItem,
    VersionPage,
    WorkflowItem,
    WorkflowPage,
    WorkflowView,
)


class Workflows:
    """The operations of ``workflows``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def list(self, **query: Unpack[WorkflowsListQuery]) -> Items[WorkflowItem, WorkflowPage]:
        """The workflows that are served, by name: registered ones, and those in the folders of the service."""
        return Items(
            self._line, Call(answer=WorkflowPage, operation=operations.WORKFLOWS_LIST, query=dict(query)), "cursor"
        )

    def register(self, **body: Unpack[WorkflowText]) -> WorkflowView:
        """Keep a new version of a workflow, and serve it. With problems, nothing is kept and the 422 names their places."""
        return self._line.send(Call(answer=WorkflowView, operation=operations.WORKFLOWS_REGISTER, body=dict(body)))

    def validate(self, **body: Unpack[WorkflowText]) -> Validated:
        """Check a workflow without keeping it, and name every problem with its place."""
        return self._line.send(Call(answer=Validated, operation=operations.WORKFLOWS_VALIDATE, body=dict(body)))

    def versions(self, name: str, /, **query: Unpack[WorkflowsVersionsQuery]) -> Items[VersionItem, VersionPage]:
        """The registered versions of a workflow, the newest first."""
        return Items(
            self._line,
            Call(answer=VersionPage, operation=operations.WORKFLOWS_VERSIONS, path={"name": name}, query=dict(query)),
            "cursor",
        )

    def diff(self, name: str, /, **query: Unpack[WorkflowsDiffQuery]) -> VersionDiff:
        """How two registered versions of a workflow differ."""
        return self._line.send(
            Call(answer=VersionDiff, operation=operations.WORKFLOWS_DIFF, path={"name": name}, query=dict(query))
        )

    def plan(self, name: str, /, **query: Unpack[WorkflowsPlanQuery]) -> PlanView:
        """The plan that a workflow compiles into, as data or drawn."""
        return self._line.send(
            Call(answer=PlanView, operation=operations.WORKFLOWS_PLAN, path={"name": name}, query=dict(query))
        )

    def estimate(self, name: str, /, **body: Unpack[Estimating]) -> Estimate:
        """What a run may take: bounds that follow from the plan, its limits, prices, and what earlier runs have taken."""
        return self._line.send(
            Call(answer=Estimate, operation=operations.WORKFLOWS_ESTIMATE, path={"name": name}, body=dict(body))
        )

    def preview(self, name: str, /, **body: Unpack[Preview]) -> Previewed:
        """What a workflow of the pattern `plan` would make of a request; nothing is run or kept."""
        return self._line.send(
            Call(answer=Previewed, operation=operations.WORKFLOWS_PREVIEW, path={"name": name}, body=dict(body))
        )

    def show(self, name: str, /, **query: Unpack[WorkflowsShowQuery]) -> WorkflowView:
        """One workflow with its text and the JSON Schema of its inputs."""
        return self._line.send(
            Call(answer=WorkflowView, operation=operations.WORKFLOWS_SHOW, path={"name": name}, query=dict(query))
        )

    def delete(self, name: str, /) -> Unregistered:
        """Serve a registered workflow no more, in any version. Its runs keep their plans."""
        return self._line.send(Call(answer=Unregistered, operation=operations.WORKFLOWS_DELETE, path={"name": name}))
