"""Written by scripts/client from the OpenAPI document. What ``triggers`` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict


class OnFile(TypedDict):
    """A file arrives in a folder that the service may watch."""

    folder: str
    pattern: NotRequired[str]
    settle_s: NotRequired[float]
    variable: NotRequired[str]
    """The input that gets its path."""


class OnRun(TypedDict):
    """A run of a workflow ends. The new run's inputs get its id, status and response."""

    workflow: str
    statuses: NotRequired[Sequence[Literal["completed", "failed", "cancelled"]]]


class OnWebhook(TypedDict):
    """A signed message is sent to ``/hooks/<name>``, or ``/hooks/<tenant>/<name>`` where tenants share the service. The new run's input `variable` gets its body, as text."""

    scheme: NotRequired[Literal["standard", "github"]]
    """The form of the signature: Standard Webhooks, or that of GitHub."""
    variable: NotRequired[str]


class AddTrigger(TypedDict):
    """What starts runs: a file, the end of another run, or a message."""

    workflow: str
    version: NotRequired[int | None]
    """A registered version; that of now by default."""
    name: NotRequired[str]
    """Letters, digits, dots and dashes."""
    inputs: NotRequired[Mapping[str, Any]]
    pin: NotRequired[bool]
    """Start nothing once the workflow has changed."""
    on_file: NotRequired[OnFile | None]
    on_run: NotRequired[OnRun | None]
    on_webhook: NotRequired[OnWebhook | None]


class TriggersListQuery(TypedDict):
    """What `triggers.list` asks for."""

    limit: NotRequired[int]
    """How many of them; the next page has the rest."""
    cursor: NotRequired[str | None]
    """Where to go on: `next` of the page before. Its form may change."""
