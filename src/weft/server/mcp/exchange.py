"""One request and what is known of who sends it: its revision of the protocol, and its session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

Context = ServerRequestContext[Any, Any]


def is_modern(ctx: Context) -> bool:
    """Whether the client speaks a revision without sessions, in which the server sends it no requests."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def session_of(ctx: Context) -> str:
    """The id of the client's session; empty where there is none."""
    headers: Mapping[str, str] = getattr(ctx.request, "headers", None) or {}
    return headers.get("mcp-session-id", "")
