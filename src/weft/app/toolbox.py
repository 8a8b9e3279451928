"""The tools of a workflow that come from no server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.app.egress import egress_policy
from weft.app.programs import PythonWorkflows, without_programs
from weft.core.settings import Settings
from weft.net.egress import EgressPolicy
from weft.plan.nodes import Plan
from weft.tools.port import Tool
from weft.tools.registry import build_tools


def tools_of(plan: Plan, settings: Settings, policy: EgressPolicy, programs: PythonWorkflows) -> dict[str, Tool]:
    """The tools of `plan` that come from no server, as far as the settings allow them; `programs` has those of its own file.

    Raises:
        WeftError: one of them is not possible, or denied.
    """
    may = settings.tools
    built = build_tools(
        without_programs(plan).definitions["tools"],
        allowed_modules=may.allowed_modules,
        allowed_folders=may.allowed_folders,
        policy=policy,
        python_exec=may.python_exec,
    )
    return {**built, **programs.tools(plan)}


def own_tools(plan: Plan, settings: Settings, programs: PythonWorkflows) -> list[dict[str, Any]]:
    """The tools of `plan` that come from no server: name, kind, effect and description."""
    definitions: Mapping[str, Any] = plan.definitions.get("tools") or {}
    return [
        {
            "name": name,
            "from": definitions[name]["kind"],
            "effect": tool.spec.effect,
            "description": tool.spec.description,
        }
        for name, tool in tools_of(plan, settings, egress_policy(settings), programs).items()
    ]
