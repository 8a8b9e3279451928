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
    return "\n\n".join(part for part in (prompt.strip(), _skills(plan), "\n".join(facts)) if part)


def _skills(plan: Plan) -> str:
    """The skills that the agent may load."""
    tools = (plan.definitions.get("tools") or {}).items()
    found = [(tool, one["skills"]) for tool, one in tools if one.get("kind") == "skills"]
    lines = [
        f"- {skill_id}: {skill.get('description') or 'no description'}"
        for _, skills in found
        for skill_id, skill in skills.items()
    ]
    if not lines:
        return ""
    opening = f"Skills are instructions for certain work. Before such work, load the skill with the tool {found[0][0]}:"
    return "\n".join([opening, *lines])
