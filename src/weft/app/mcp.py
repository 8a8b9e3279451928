"""The MCP servers of a workflow file, outside runs."""

from __future__ import annotations

import os
from pathlib import Path

from weft.app.egress import egress_policy
from weft.app.secret_sources import secret_cache
from weft.app.servers import FOLDER
from weft.app.tracing import credentials
from weft.core.clock import SystemClock
from weft.core.settings import Settings
from weft.net.client import HttpClient
from weft.net.egress import EgressPolicy
from weft.plan.nodes import Plan
from weft.secrets.resolve import SecretRef, Secrets
from weft.tools.mcp.desk import McpDesk
from weft.tools.mcp.pool import Surroundings
from weft.tools.port import ToolContext


def desk(plan: Plan, file: Path, settings: Settings) -> McpDesk:
    """What a person can do with the servers of `plan`, which was made of `file`."""
    policy = egress_policy(settings)
    return McpDesk(
        plan.definitions.get("mcp") or {},
        Surroundings(home=settings.home / FOLDER, policy=policy, on_change=settings.tools.mcp_changed),
        _context(plan, file, settings, policy),
    )


def _context(plan: Plan, file: Path, settings: Settings, policy: EgressPolicy) -> ToolContext:
    declared = plan.definitions.get("secrets") or {}
    refs = (SecretRef(name=name, **one) for name, one in declared.items())
    return ToolContext(
        key="",
        workdir=(settings.tools.workdir or file.resolve().parent).resolve(),
        clock=SystemClock(),
        http=HttpClient(policy),
        secrets=Secrets(
            refs,
            environ=os.environ,
            also_masked=credentials(),
            values=secret_cache(settings, SystemClock(), lambda _: None),
        ),
    )
