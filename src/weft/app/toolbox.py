"""The tools of a workflow file, outside runs."""

from __future__ import annotations

from typing import Any

from weft.app.egress import egress_policy
from weft.core.settings import Settings
from weft.plan.nodes import Plan
from weft.tools.registry import build_tools


def own_tools(plan: Plan, settings: Settings) -> list[dict[str, Any]]:
    """The tools of `plan` that come from no server: name, kind, effect and description."""
    definitions = plan.definitions.get("tools") or {}
    tools = build_tools(definitions, allowed_modules=settings.tools.allowed_modules, policy=egress_policy(settings))
    return [
        {
            "name": name,
            "from": definitions[name]["kind"],
            "effect": tool.spec.effect,
            "description": tool.spec.description,
        }
        for name, tool in tools.items()
    ]
