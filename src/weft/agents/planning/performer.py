"""The performer of ``planner`` calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.agents.planning.estimate import estimate
from weft.agents.planning.people import approved, clarified, unclear
from weft.core.canonical import dumps
from weft.core.errors import InputError, InternalError, Place, RejectedError
from weft.engine.port import Done, StepContext
from weft.plan.codec import plan_hash, to_json
from weft.plan.nodes import Call
from weft.plan.planner.build import combined, milestones, plan_of
from weft.plan.planner.cards import Card, cards_of
from weft.plan.planner.draft import MAX_STEPS, Draft, draft_of, problems
from weft.plan.planner.keys import key_of, normalised
from weft.plan.planner.optimise import optimised
from weft.plan.planner.parse import MAX_REQUEST
from weft.plan.planner.rules import propose
from weft.plan.template import render, render_value
from weft.store.journal import Journal
from weft.store.planned import Kept, PlannedDrafts

Json = Any
_MICROS = 1_000_000


class PlannerPerformer:
    """Makes plans: ``look``, ``check`` and ``make``; and inside them ``milestone`` and ``combine``.

    The plan that a child run is then made of is stored in `journal`. Without `drafts` nothing is cached.
    """

    computes = True

    def __init__(self, journal: Journal, drafts: PlannedDrafts | None = None) -> None:
        self._journal = journal
        self._drafts = drafts

    async def perform(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done:
        """Do what the call says.

        Raises:
            RejectedError: the request is not clear and nobody can be asked, no agent can do a part of it, or a person said no.
            InputError: the request is empty or too long.
        """
        settings: Mapping[str, Json] = call.input.get("settings") or {}
        given: Mapping[str, Json] = call.input.get("given") or {}
        if call.target == "make":
            return Done(await self._make(settings, given, scope, context))
        if call.target == "look":
            return Done(self._look(settings, given, scope, context))
        if call.target == "check":
            return Done(_check(settings, render_value(given, scope)))
        if call.target == "milestone":
            context.note("milestone.reached", settings)
            return Done({"response": settings["name"], **settings})
        if call.target == "combine":
            said = render_value(given, scope)["results"]
            return Done({"response": combined(said, settings["titles"])})
        raise InternalError(f"the planner has no {call.target!r}", path=context.path)

    async def check(self, call: Call, scope: Mapping[str, Json], context: StepContext) -> Done | None:
        """What a planner does can be done again."""
        del call, scope, context
        return None

    def _look(
        self, settings: Mapping[str, Json], given: Mapping[str, Json], scope: Mapping[str, Json], context: StepContext
    ) -> dict[str, Json]:
        """What a model needs to write a plan, and the draft that is there already, if one is."""
        request, cards = _request(given, scope, context), _cards(settings, context)
        kept = self._cached(key_of(request, cards, settings, {}), settings, context)
        lines = "\n".join(f"- {dumps(card.as_json()).decode()}" for card in cards)
        return {"response": lines, "request": request, "cards": lines, "draft": None if kept is None else kept.draft}

    async def _make(
        self, settings: Mapping[str, Json], given: Mapping[str, Json], scope: Mapping[str, Json], context: StepContext
    ) -> dict[str, Json]:
        """The plan: from the cache, from the model, or by the rules; as a person wants it; stored under its hash."""
        request, cards = _request(given, scope, context), _cards(settings, context)
        written = render_value(given.get("written"), scope)
        drafts, by, key = await self._drafted(request, cards, settings, written, context)
        draft = await approved(drafts, request, settings, context) if settings.get("approve") else drafts[0]
        if draft.why == "as edited":
            by = "person"
        elif by == ("model" if settings.get("writer") else "rules"):
            # What the rules made because a model could not is not kept: the model has another try next time.
            self._cache(key, request, drafts, settings, by, context)
        plan = plan_of(draft, request, context.plan, max_parallel=settings.get("max_parallel"))
        hash_ = plan_hash(plan)
        await self._journal.writer.submit(self._journal.plans.keep(hash_, dumps(to_json(plan))))
        return {
            "response": "\n".join(f"{step.id}: {step.task}" for step in draft.steps),
            "request": request,
            "hash": hash_,
            "by": by,
            **draft.as_json(),
            "milestones": milestones(draft),
            "alternatives": [one.as_json() for one in drafts if one is not draft],
            "estimate": estimate(draft, request, context.plan.definitions),
            **({"repaired": written["problems"]} if written and written["problems"] else {}),
        }

    async def _drafted(
        self,
        request: str,
        cards: tuple[Card, ...],
        settings: Mapping[str, Json],
        written: Mapping[str, Json] | None,
        context: StepContext,
    ) -> tuple[list[Draft], str, str]:
        """Drafts, the best first, by whom they were made, and the key that they are kept under."""
        answers: dict[str, str] = {}
        if written is not None and not written["problems"]:
            return [optimised(draft_of(written["draft"]))], "model", key_of(request, cards, settings, answers)
        for number in range(MAX_STEPS):
            key = key_of(request, cards, settings, answers)
            kept = self._cached(key, settings, context)
            if kept is not None:
                return [draft_of(one) for one in kept.draft["drafts"]], "cache", key
            count = settings.get("alternatives") or 1
            proposal = propose(request, cards, answers=answers, count=count, max_steps=settings["max_steps"])
            if proposal.missing:
                raise _lacking(proposal.missing, cards, context)
            if not proposal.questions:
                return list(proposal.drafts), "rules", key
            question = proposal.questions[0]
            if settings["ambiguous"] == "reject":
                raise unclear(proposal.questions, context.path)
            first = settings["ambiguous"] == "first"
            chosen = question.choices[0] if first else await clarified(question, number, settings, context)
            answers[question.task] = chosen
        raise unclear(proposal.questions, context.path)

    def _cached(self, key: str, settings: Mapping[str, Json], context: StepContext) -> Kept | None:
        if self._drafts is None or not settings.get("cache_s"):
            return None
        kept = self._drafts.find(key, context.clock.micros())
        if kept is None or not isinstance(kept.draft.get("drafts"), list) or not kept.draft["drafts"]:
            return None
        wrong = any(problems(one, settings["agents"], settings["max_steps"]) for one in kept.draft["drafts"])
        return None if wrong else kept

    def _cache(
        self,
        key: str,
        request: str,
        drafts: list[Draft],
        settings: Mapping[str, Json],
        by: str,
        context: StepContext,
    ) -> None:
        if self._drafts is None or not settings.get("cache_s"):
            return
        at = context.clock.micros()
        self._drafts.keep(
            Kept(
                key=key,
                request=normalised(request),
                workflow=context.plan.workflow,
                draft={"drafts": [draft.as_json() for draft in drafts]},
                made=at,
                expires=at + int(settings["cache_s"] * _MICROS),
                by=by,
            )
        )


def _request(given: Mapping[str, Json], scope: Mapping[str, Json], context: StepContext) -> str:
    request = render(given["request"], scope).strip()
    if not request or len(request) > MAX_REQUEST:
        raise InputError(
            "the request is empty" if not request else f"the request is longer than {MAX_REQUEST} characters",
            fix="say what is to be done",
            place=Place(path=context.path),
        )
    return request


def _cards(settings: Mapping[str, Json], context: StepContext) -> tuple[Card, ...]:
    return cards_of(context.plan.definitions, list(settings["agents"]))


def _check(settings: Mapping[str, Json], given: Mapping[str, Json]) -> dict[str, Json]:
    """What is wrong with the draft of a model."""
    draft = given["draft"]
    wrong = problems(draft, settings["agents"], settings["max_steps"])
    return {"response": "; ".join(wrong) or "the plan can be used", "draft": draft, "problems": wrong}


def _lacking(missing: tuple[str, ...], cards: tuple[Card, ...], context: StepContext) -> RejectedError:
    tasks = "; ".join(repr(task) for task in missing)
    return RejectedError(
        f"no agent here can do this: {tasks}",
        fix=f"add an agent whose `card` names it among its capabilities; there are {', '.join(card.id for card in cards)}",
        place=Place(path=context.path),
        missing=list(missing),
    )
