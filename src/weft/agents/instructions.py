"""What an agent is told before its task: its own prompt, and where it stands in the workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.plan.nodes import Plan
from weft.plan.template import render


def instructions_for(name: str, definition: Mapping[str, Any], plan: Plan, scope: Mapping[str, Any]) -> str:
    """The instructions of agent `name`.

    Its prompt is a template only where the plan says so (``prompt_template``); otherwise it is sent to the letter.
    """
    prompt = str(definition.get("prompt") or "")
    if definition.get("prompt_template"):
        prompt = render(prompt, scope)
    about = plan.definitions
    facts = [f"Workflow: {about.get('name') or plan.workflow}"]
    if about.get("description"):
        facts.append(f"Description: {about['description']}")
    if about.get("tags"):
        facts.append(f"Tags: {', '.join(about['tags'])}")
    facts.append(f"Agent: {name}")
    return "\n\n".join(part for part in (prompt.strip(), "\n".join(facts)) if part)
