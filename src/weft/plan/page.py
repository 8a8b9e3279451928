"""A plan as a page of Markdown: what it is, who works, the picture, the tools."""

from __future__ import annotations

from typing import Any

from weft.plan.diagram import mermaid
from weft.plan.nodes import Plan


def page(plan: Plan) -> str:
    """The page."""
    about = plan.definitions
    lines = [f"# {_line(plan.workflow)}", ""]
    if about.get("description"):
        lines += [str(about["description"]).strip(), ""]
    lines += [f"Pattern: {about.get('pattern', '')}", "", "## Plan", "", "```mermaid", mermaid(plan).strip(), "```", ""]
    agents: dict[str, Any] = about.get("agents") or {}
    lines += ["## Agents", "", "| agent | model | tools |", "| --- | --- | --- |"]
    lines += [
        f"| {_line(name)} | {_line(one['model'])} | {_line(', '.join(one.get('tools') or ()) or 'none')} |"
        for name, one in agents.items()
    ]
    tools: dict[str, Any] = about.get("tools") or {}
    if tools:
        lines += ["", "## Tools", "", "| tool | kind |", "| --- | --- |"]
        lines += [f"| {_line(name)} | {_line(str(one.get('kind', '')))} |" for name, one in tools.items()]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
