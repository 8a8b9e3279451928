"""Plans that are made at run time, from outside of runs: what a request would become, and the drafts that are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weft.agents.planning.estimate import cost_text, estimate
from weft.core.errors import InputError
from weft.plan.codec import plan_hash, to_json
from weft.plan.nodes import Plan
from weft.plan.planner.build import milestones, outline, plan_of
from weft.plan.planner.cards import cards_of
from weft.plan.planner.parse import MAX_REQUEST
from weft.plan.planner.rules import propose


def preview(plan: Plan, request: str) -> dict[str, Any]:
    """What the rules make of `request` in a workflow of the pattern ``plan``: drafts with what they take, or what is missing.

    Raises:
        InputError: the workflow makes no plans, or the request is empty or too long.
    """
    settings = next(_settings(to_json(plan)["root"]), None)
    if settings is None:
        raise InputError(
            f"{plan.workflow!r} makes no plan at run time",
            fix="leave --request out, or use `type: plan` in the pattern",
        )
    if not request.strip() or len(request) > MAX_REQUEST:
        raise InputError(f"the request is empty or longer than {MAX_REQUEST} characters", fix="say what is to be done")
    cards = cards_of(plan.definitions, list(settings["agents"]))
    found = propose(request.strip(), cards, count=settings["alternatives"], max_steps=settings["max_steps"])
    drafts = []
    for draft in found.drafts:
        made = plan_of(draft, request.strip(), plan, max_parallel=settings.get("max_parallel"))
        figures = estimate(draft, request.strip(), plan.definitions)
        drafts.append(
            {
                **draft.as_json(),
                "hash": plan_hash(made),
                "milestones": milestones(draft),
                "estimate": figures,
                "outline": outline(draft),
                "takes": cost_text(figures),
            }
        )
    return {
        "workflow": plan.workflow,
        "request": request.strip(),
        "writer": settings.get("writer"),
        "drafts": drafts,
        "questions": [{"text": one.text, "choices": list(one.choices)} for one in found.questions],
        "missing": list(found.missing),
    }


def _settings(node: Any) -> Iterator[Mapping[str, Any]]:
    """The settings of each call inside `node` that makes a plan."""
    if isinstance(node, dict):
        if node.get("performer") == "planner" and node.get("target") == "make":
            yield node["input"]["settings"]
        for part in node.values():
            yield from _settings(part)
    elif isinstance(node, list):
        for part in node:
            yield from _settings(part)
