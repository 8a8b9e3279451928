"""The values that templates see before the first step of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.plan.nodes import Plan


def initial_scope(
    plan: Plan, inputs: Mapping[str, Any], *, session_id: str = "", started_at: str = ""
) -> dict[str, Any]:
    """The scope of a new run: what the language always fills, then the inputs, which win over a name of the language.

    All of them together are ``inputs`` as well.
    `started_at` is ISO 8601; with `session_id` it makes up ``execution_context``.
    """
    about = plan.definitions
    return {
        "name": plan.workflow,
        "runtime": about.get("runtime") or {},
        "context_policy": about.get("context_policy") or {},
        "execution_context": {"session_id": session_id, "started_at": started_at, "timestamp": started_at},
        "inputs": dict(inputs),
        **inputs,
    }
