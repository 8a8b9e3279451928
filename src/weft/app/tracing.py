"""Spans of runs: the trace artifact, and what goes to a collector."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from weft.core.event import Event
from weft.telemetry.content import Content
from weft.telemetry.redact import Redactor
from weft.telemetry.trace import trace_artifact

CREDENTIALS = (
    "OPENAI_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
    "TAVILY_API_KEY",
)
"""Environment variables whose values are secrets wherever they turn up."""


def credentials() -> list[str]:
    """The credentials of this process."""
    return [value for name in CREDENTIALS if (value := os.environ.get(name))]


def new_redactor() -> Redactor:
    """A redactor that knows the credentials of this process."""
    return Redactor(credentials())


def content_of(definitions: Mapping[str, Any]) -> Content:
    """Which contents a workflow lets its trace show (``telemetry.redact``: tool inputs are hidden unless it says otherwise)."""
    redact = (definitions.get("telemetry") or {}).get("redact") or {}
    return Content(tool_inputs=not redact.get("tool_inputs", True), tool_outputs=not redact.get("tool_outputs", False))


def trace_of(
    definitions: Mapping[str, Any], events: Iterable[Event], *, redactor: Redactor | None = None
) -> dict[str, Any]:
    """The trace of a run of a plan with these definitions."""
    return trace_artifact(
        events,
        redactor=redactor or new_redactor(),
        pattern=str(definitions.get("pattern") or ""),
        content=content_of(definitions),
    )
