"""Plans that are made at run time, from outside of runs: what a request would become, and the drafts that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from weft.agents.planning.estimate import cost_text, estimate
from weft.app.view import RunView
from weft.core.errors import InputError, NotFoundError
from weft.plan.codec import plan_hash, to_json
from weft.plan.nodes import Plan
from weft.plan.planner.build import milestones, outline, plan_of
from weft.plan.planner.cards import cards_of
from weft.plan.planner.keys import normalised
from weft.plan.planner.parse import MAX_REQUEST
from weft.plan.planner.rules import propose
from weft.store.journal import Journal
from weft.store.planned import PlannedDrafts


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


def requests_of(journal: Journal, run_id: str) -> frozenset[tuple[str, str]]:
    """For which requests, each with its workflow, a run and its child runs have made plans."""
    runs, seen = [run_id], set[str]()
    made: set[tuple[str, str]] = set()
    while runs:
        one = runs.pop()
        if one in seen:
            continue
        seen.add(one)
        try:
            workflow = journal.runs.get(one).workflow
        except NotFoundError:
            continue
        view = RunView(journal.events(one))
        made |= {(workflow, normalised(plan["request"])) for plan in view.made_plans()}
        runs += [step.run for step in view.root.walk() if step.run]
    return frozenset(made)


def forget_requests(drafts: PlannedDrafts, made: frozenset[tuple[str, str]]) -> None:
    """Remove the drafts that are kept for these requests: they hold them in plain text."""
    for kept in drafts.all() if made else ():
        if (kept.workflow, kept.request) in made:
            drafts.remove(kept.key)


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


async def read_requests(journal: Journal, run_id: str) -> frozenset[tuple[str, str]]:
    """`requests_of` in a thread: a long journal holds up nobody."""
    return await asyncio.to_thread(requests_of, journal, run_id)


async def forget(drafts: PlannedDrafts, made: frozenset[tuple[str, str]]) -> None:
    """`forget_requests` in a thread."""
    await asyncio.to_thread(forget_requests, drafts, made)
