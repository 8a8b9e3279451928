"""Written by scripts/client from the OpenAPI document. What ``workflows`` is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict


class WorkflowText(TypedDict):
    """A workflow: its text (YAML or JSON), or the document as an object. As `application/yaml`, the body is the text itself."""

    source: NotRequired[str | None]
    document: NotRequired[Mapping[str, Any] | None]
    note: NotRequired[str]
    """What this version is about."""


class Estimating(TypedDict):
    """Of which version."""

    version: NotRequired[int | None]


class Preview(TypedDict):
    """A request to a workflow that makes its plan at run time."""

    request: str


class WorkflowsListQuery(TypedDict):
    """What `workflows.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""


class WorkflowsVersionsQuery(TypedDict):
    """What `workflows.versions` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""


class WorkflowsDiffQuery(TypedDict):
    """What `workflows.diff` asks for."""

    first: int
    second: int


class WorkflowsPlanQuery(TypedDict):
    """What `workflows.plan` asks for."""

    version: NotRequired[int | None]
    format: NotRequired[Literal["json", "mermaid", "dot", "tree"]]


class WorkflowsShowQuery(TypedDict):
    """What `workflows.show` asks for."""

    version: NotRequired[int | None]
    """A registered version."""
